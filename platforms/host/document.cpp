#include "platforms/host/document.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <toml++/toml.h>

namespace iommusim::host {
namespace {

Position place(const toml::source_region& region, const std::string& name) {
    return {name, unsigned(region.begin.line), unsigned(region.begin.column)};
}

Node convert(const toml::node& source, const std::string& name) {
    Node node;
    node.position = place(source.source(), name);
    switch (source.type()) {
    case toml::node_type::string:
        node.kind = Node::Kind::string;
        node.text = source.as_string()->get();
        break;
    case toml::node_type::integer:
        node.kind = Node::Kind::integer;
        node.integer = source.as_integer()->get();
        break;
    case toml::node_type::floating_point:
        node.kind = Node::Kind::real;
        node.real = source.as_floating_point()->get();
        break;
    case toml::node_type::boolean:
        node.kind = Node::Kind::boolean;
        node.boolean = source.as_boolean()->get();
        break;
    case toml::node_type::array:
        node.kind = Node::Kind::array;
        for (const toml::node& item : *source.as_array())
            node.items.push_back(convert(item, name));
        break;
    case toml::node_type::table:
        node.kind = Node::Kind::table;
        for (const auto& [key, value] : *source.as_table())
            node.members.push_back({std::string(key.str()), place(key.source(), name), convert(value, name)});
        // The library sorts by name; people think in file order.
        std::stable_sort(node.members.begin(), node.members.end(), [](const Member& a, const Member& b) {
            return a.position.line != b.position.line ? a.position.line < b.position.line
                                                      : a.position.column < b.position.column;
        });
        break;
    default:
        node.kind = Node::Kind::date;
    }
    return node;
}

/// Keeps what a message quotes on one line and short.
std::string quoted(const std::string& text) {
    constexpr std::size_t longest = 60;
    std::string out = "\"";
    for (char c : text.substr(0, longest)) {
        if (static_cast<unsigned char>(c) < 0x20)
            c = ' ';
        out += c;
    }
    return out + (text.size() > longest ? "...\"" : "\"");
}

} // namespace

const Node* Node::find(std::string_view key) const {
    for (const Member& m : members)
        if (m.key == key)
            return &m.value;
    return nullptr;
}

std::string describe(const Node& node) {
    switch (node.kind) {
    case Node::Kind::string:
        return quoted(node.text) + ", a string";
    case Node::Kind::integer:
        return std::to_string(node.integer) + ", an integer";
    case Node::Kind::real: {
        char buffer[40];
        std::snprintf(buffer, sizeof buffer, "%g, a float", node.real);
        return buffer;
    }
    case Node::Kind::boolean:
        return node.boolean ? "true, a boolean" : "false, a boolean";
    case Node::Kind::date:
        return "a date or time";
    case Node::Kind::array:
        return "an array";
    case Node::Kind::table:
        return "a table";
    }
    return "";
}

Node parse_document(std::string_view text, const std::string& name, Diagnostics& diagnostics) {
    try {
        const toml::table table = toml::parse(text, std::string_view(name));
        Node root = convert(table, name);
        root.position = {name, 1, 1};
        return root;
    } catch (const toml::parse_error& e) {
        diagnostics.error(place(e.source(), name), "not TOML: " + std::string(e.description()));
        Node root;
        root.position = {name, 1, 1};
        return root;
    }
}

Node parse_value(std::string_view text, const std::string& name) {
    Node node;
    node.kind = Node::Kind::string;
    node.text = text;
    try {
        const toml::table table = toml::parse("value = " + std::string(text), std::string_view(name));
        if (table.size() == 1) // otherwise the text held a line break and more than a value
            node = convert(table.begin()->second, name);
    } catch (const toml::parse_error&) {
        // a bare word such as strict or 90ns: stays the text itself
    }
    const auto everywhere = [&](const auto& self, Node& n) -> void {
        n.position = {name, 0, 0};
        for (Node& item : n.items)
            self(self, item);
        for (Member& m : n.members) {
            m.position = {name, 0, 0};
            self(self, m.value);
        }
    };
    everywhere(everywhere, node);
    return node;
}

bool read_file(const std::string& path, std::string& text, Diagnostics& diagnostics) {
    const Position where{path, 0, 0};
    std::error_code failure;
    if (std::filesystem::is_directory(path, failure)) {
        diagnostics.error(where, "cannot be read: it is a folder");
        return false;
    }
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) {
        diagnostics.error(where, std::string("cannot be read: ") + std::strerror(errno));
        return false;
    }
    text.clear();
    char buffer[16384];
    std::size_t got;
    while ((got = std::fread(buffer, 1, sizeof buffer, file.get())) > 0)
        text.append(buffer, got);
    if (std::ferror(file.get())) {
        diagnostics.error(where, "cannot be read: input error");
        return false;
    }
    return true;
}

} // namespace iommusim::host
