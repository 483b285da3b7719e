#include "culvert/sign_in/form_fields.h"

#include <algorithm>

#include "culvert/base/bytes.h"
#include "culvert/base/printable.h"
#include "culvert/sign_in/constants.h"

namespace culvert::sign_in {
namespace {

std::optional<std::string> decode(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        const auto byte = from_hex(text.substr(i + 1, 2));
        if (!byte || byte->size() != 1) {
            return std::nullopt;
        }
        decoded += as_text(*byte);
        i += 2;
    }
    return is_utf8(decoded) ? std::optional{std::move(decoded)} : std::nullopt;
}

}  // namespace

std::optional<FormFields> FormFields::parse(std::string_view body) {
    FormFields form;
    while (!body.empty()) {
        const auto pair = body.substr(0, body.find('&'));
        body.remove_prefix(std::min(body.size(), pair.size() + 1));
        const auto equals = std::min(pair.find('='), pair.size());
        auto name = decode(pair.substr(0, equals));
        auto value = decode(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value || form.fields_.size() == kMaxFields) {
            return std::nullopt;
        }
        form.fields_.emplace_back(*std::move(name), *std::move(value));
    }
    return form;
}

const std::string* FormFields::find(std::string_view name) const {
    const std::string* found = nullptr;
    for (const auto& [key, value] : fields_) {
        if (key == name) {
            if (found != nullptr) {
                return nullptr;
            }
            found = &value;
        }
    }
    return found;
}

std::string_view FormFields::get(std::string_view name) const {
    const auto* found = find(name);
    return found == nullptr ? std::string_view{} : std::string_view{*found};
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                              c == '.' || c == '_' || c == '~';
        if (is_plain) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += {'%', kHex[byte >> 4U], kHex[byte & 0xfU]};
        }
    }
    return encoded;
}

}  // namespace culvert::sign_in
