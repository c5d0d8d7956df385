#include "platforms/host/text_table.h"

#include <algorithm>

namespace iommusim::host {
namespace {

/// Characters, not bytes: names from scenarios are UTF-8.
std::size_t characters(const std::string& text) {
    return std::size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

} // namespace

std::string TextTable::text() const {
    std::vector<std::size_t> widths;
    for (const Row& row : rows_)
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            if (i == widths.size())
                widths.push_back(0);
            widths[i] = std::max(widths[i], characters(row.cells[i]));
        }
    std::string out;
    for (const Row& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            const std::string pad(widths[i] - characters(row.cells[i]), ' ');
            if (i != 0)
                line += "  ";
            line += i < left_ ? row.cells[i] + pad : pad + row.cells[i];
        }
        while (line.ends_with(' '))
            line.pop_back();
        out += line + "\n";
        if (row.is_heading) {
            std::string rule;
            for (std::size_t i = 0; i < widths.size(); ++i)
                rule += std::string(i == 0 ? 0 : 2, ' ') + std::string(widths[i], '-');
            out += rule + "\n";
        }
    }
    return out;
}

} // namespace iommusim::host
