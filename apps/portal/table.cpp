#include "apps/portal/table.h"

#include <algorithm>
#include <string_view>

#include "culvert/base/printable.h"

namespace culvert::portal_server {
namespace {

/// Characters, as far as a terminal gives each of them one column.
std::size_t width(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace

std::string align(std::vector<TableRow> rows) {
    std::vector<std::size_t> widths;
    for (auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            row[i] = row[i].empty() ? "-" : escape_unprintable(row[i]);
            widths[i] = std::max(widths[i], width(row[i]));
        }
    }
    std::string out;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += row[i];
            if (i + 1 < row.size()) {
                out.append(widths[i] - width(row[i]) + 2, ' ');
            }
        }
        out += '\n';
    }
    return out;
}

}  // namespace culvert::portal_server
