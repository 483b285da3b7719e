#include "apps/portal/query.h"

#include "culvert/base/bytes.h"

namespace culvert::portal_server {
namespace {

std::optional<std::string> form_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out += ' ';
        } else if (text[i] == '%') {
            const auto byte = from_hex(text.substr(i + 1, 2));
            if (!byte || byte->size() != 1) {
                return std::nullopt;
            }
            out += as_text(*byte);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

/// How many bytes a character takes that starts with `lead`; 0 if none does. Overlong forms start with c0 and c1.
std::size_t utf8_length(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 3;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/// RFC 3629, without NUL.
bool is_clean_text(std::string_view text) {
    while (!text.empty()) {
        const auto lead = static_cast<unsigned char>(text[0]);
        const auto length = utf8_length(lead);
        if (lead == 0 || length == 0 || length > text.size()) {
            return false;
        }
        for (std::size_t i = 1; i < length; ++i) {
            if ((static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80U) {
                return false;
            }
        }
        if (length > 1) {
            const auto second = static_cast<unsigned char>(text[1]);
            const bool is_overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
            const bool is_surrogate = lead == 0xed && second > 0x9f;
            const bool is_beyond_unicode = lead == 0xf4 && second > 0x8f;
            if (is_overlong || is_surrogate || is_beyond_unicode) {
                return false;
            }
        }
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace

std::optional<Target> parse_target(std::string_view text) {
    Target target;
    const auto question = text.find('?');
    target.path = text.substr(0, question);
    if (question == std::string_view::npos) {
        return target;
    }
    auto query = text.substr(question + 1);
    query = query.substr(0, query.find('#'));
    while (!query.empty()) {
        const auto end = query.find('&');
        const auto pair = query.substr(0, end);
        query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
        if (pair.empty()) {
            continue;
        }
        const auto equals = pair.find('=');
        const auto key = form_decode(pair.substr(0, equals));
        const auto value =
            equals == std::string_view::npos ? std::optional{std::string{}} : form_decode(pair.substr(equals + 1));
        if (!key || !value || !is_clean_text(*key) || !is_clean_text(*value)) {
            return std::nullopt;
        }
        target.parameters.emplace_back(*key, *value);
    }
    return target;
}

std::vector<std::pair<std::string, std::string>> with_header_token(
    std::vector<std::pair<std::string, std::string>> parameters, std::string_view header) {
    constexpr std::string_view kScheme = "Bearer ";
    if (header.starts_with(kScheme)) {
        std::erase_if(parameters, [](const auto& parameter) { return parameter.first == "token"; });
        parameters.emplace_back("token", header.substr(kScheme.size()));
    }
    return parameters;
}

std::string printable_ascii(std::string_view text) {
    std::string out{text};
    for (auto& c : out) {
        if (c < ' ' || c > '~') {
            c = '?';
        }
    }
    return out;
}

}  // namespace culvert::portal_server
