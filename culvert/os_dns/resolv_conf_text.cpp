#include "culvert/os_dns/resolv_conf_text.h"

#include <algorithm>
#include <optional>

namespace culvert::os_dns {
namespace {

constexpr std::string_view kBlank = " \t\r\v\f";

/// Calls `visit` with each line, without its line feed.
template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        visit(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

/// The next word; empty at the end. Takes it off `text`.
std::string_view next_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
    const auto word = text.substr(0, text.find_first_of(kBlank));
    text.remove_prefix(word.size());
    return word;
}

/// What follows if the line is about `keyword`, which glibc wants in the first column and in front of a blank.
std::optional<std::string_view> value_of(std::string_view line, std::string_view keyword) {
    if (!line.starts_with(keyword) || line.size() == keyword.size() ||
        kBlank.find(line[keyword.size()]) == kBlank.npos) {
        return std::nullopt;
    }
    return line.substr(keyword.size());
}

/// Without the number of dots.
std::string remaining_options(std::string_view options) {
    std::string kept;
    for (auto word = next_word(options); !word.empty(); word = next_word(options)) {
        if (!word.starts_with("ndots:")) {
            kept += ' ';
            kept += word;
        }
    }
    return kept;
}

}  // namespace

bool is_ours(std::string_view text) {
    return text.starts_with(kMagicLine);
}

std::vector<net::IpAddress> nameservers(std::string_view text) {
    std::vector<net::IpAddress> found;
    for_each_line(text, [&](std::string_view line) {
        auto value = value_of(line, "nameserver");
        if (!value) {
            return;
        }
        const auto word = next_word(*value);
        if (const auto address = net::IpAddress::parse(word.substr(0, word.find('%')))) {
            found.push_back(*address);
        }
    });
    return found;
}

std::string rewritten(std::string_view original, const Settings& settings) {
    std::string text{kMagicLine};
    text +=
        "# Names are resolved by a client of Firezone's kind while it runs. It puts back what was here when it ends, "
        "or\n"
        "# when it is started again after a crash. A copy: /etc/resolv.conf.before-firezone\n";
    for (const auto& server : settings.servers) {
        text += "nameserver " + server.to_string() + '\n';
    }
    for_each_line(original, [&](std::string_view line) {
        const bool is_comment = line.starts_with('#') || line.starts_with(';');
        const bool is_blank = line.find_first_not_of(kBlank) == line.npos;
        if (is_comment || is_blank || value_of(line, "nameserver") || value_of(line, "search")) {
            return;
        }
        if (const auto options = value_of(line, "options")) {
            if (const auto kept = remaining_options(*options); !kept.empty()) {
                text += "options" + kept + '\n';
            }
            return;
        }
        text += line;
        text += '\n';
    });
    if (settings.search_domain) {
        // At the end, since the last one of `domain` and `search` counts.
        text += "search " + *settings.search_domain + '\n';
    }
    return text;
}

}  // namespace culvert::os_dns
