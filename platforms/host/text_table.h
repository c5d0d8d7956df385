// A table in plain text: the first column flush left, the others flush right, as wide as they need to be.
#pragma once

#include <string>
#include <vector>

namespace iommusim::host {

class TextTable {
public:
    /// The heading is underlined; empty cells print as blanks.
    void heading(std::vector<std::string> cells) { rows_.push_back({std::move(cells), true}); }
    void row(std::vector<std::string> cells) { rows_.push_back({std::move(cells), false}); }
    /// Columns 0 to `count` - 1 are flush left.
    void left_columns(std::size_t count) { left_ = count; }
    bool empty() const { return rows_.empty(); }
    /// Lines end with a line break and carry no trailing blanks.
    std::string text() const;

private:
    struct Row {
        std::vector<std::string> cells;
        bool is_heading;
    };
    std::vector<Row> rows_;
    std::size_t left_ = 1;
};

} // namespace iommusim::host
