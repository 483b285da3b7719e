#include "apps/portal/error_output.h"

#include <algorithm>
#include <iostream>

#include "culvert/base/printable.h"

namespace culvert::portal_server {

int fail(std::string_view what, int code) {
    std::cerr << "error: " << escape_unprintable(without_tokens(what)) << '\n';
    return code;
}

std::string without_tokens(std::string_view text) {
    constexpr std::string_view kMark = "SFMyNTY.";  // the header of every token
    constexpr std::string_view kAround = " \t\r\n\"'=,";
    std::string out;
    while (true) {
        const auto mark = text.find(kMark);
        if (mark == std::string_view::npos) {
            return out.append(text);
        }
        const auto before = text.substr(0, mark).find_last_of(kAround);
        out.append(text.substr(0, before == std::string_view::npos ? 0 : before + 1)).append("[a token]");
        text.remove_prefix(std::min(text.find_first_of(kAround, mark), text.size()));
    }
}

}  // namespace culvert::portal_server
