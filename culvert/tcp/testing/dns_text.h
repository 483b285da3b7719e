#pragma once

#include <cstdint>
#include <string_view>

#include "culvert/base/bytes.h"

namespace culvert::tcp::test {

/// A DNS message with one question (type A) and nothing else but `padding` bytes.
inline Bytes dns_message(std::uint16_t id, std::string_view name, bool is_response, std::size_t padding = 0) {
    Bytes message;
    append_be(message, id);
    append_be(message, static_cast<std::uint16_t>(is_response ? 0x8180 : 0x0100));
    append_be(message, std::uint16_t{1});
    message.resize(12);
    while (!name.empty()) {
        const auto dot = std::min(name.find('.'), name.size());
        message.push_back(static_cast<std::byte>(dot));
        append(message, as_bytes(name.substr(0, dot)));
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    append(message, *from_hex("0000010001"));
    message.resize(message.size() + padding);
    return message;
}

}  // namespace culvert::tcp::test
