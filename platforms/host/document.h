// A TOML text as a plain tree in file order, with the place of every key and value. The only file of the
// project that knows the TOML library is document.cpp.
#pragma once

#include "platforms/host/diagnostics.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iommusim::host {

struct Member;

struct Node {
    enum class Kind { string, integer, real, boolean, date, array, table };

    Kind kind = Kind::table;
    Position position;
    std::string text;            ///< Kind::string
    std::int64_t integer = 0;    ///< Kind::integer
    double real = 0;             ///< Kind::real
    bool boolean = false;        ///< Kind::boolean
    std::vector<Node> items;     ///< Kind::array
    std::vector<Member> members; ///< Kind::table, in file order

    /// The member of a table, null if absent.
    const Node* find(std::string_view key) const;
};

struct Member {
    std::string key;
    Position position; ///< of the key
    Node value;
};

/// What was found, for messages: `"four", a string`, `true, a boolean`, `an array`.
std::string describe(const Node& node);

/// The tree of a TOML text; an empty table and a finding if the text is not TOML. `name` stands in positions.
Node parse_document(std::string_view text, const std::string& name, Diagnostics& diagnostics);

/// One value as given to `--set`: a TOML value, or where it is none, the bare text as a string.
Node parse_value(std::string_view text, const std::string& name);

/// Reads a whole file; false and a finding if that fails.
bool read_file(const std::string& path, std::string& text, Diagnostics& diagnostics);

} // namespace iommusim::host
