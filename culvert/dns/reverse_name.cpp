#include "culvert/dns/reverse_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace culvert::dns {

namespace {

using Labels = std::vector<std::string_view>;

bool is_equal(std::string_view label, std::string_view lower) {
    return std::ranges::equal(label, lower, {}, to_lower);
}

/// Without leading zeros, as addresses are written.
std::optional<std::uint8_t> decimal(std::string_view label) {
    std::uint8_t value = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), value);
    const bool has_zero_in_front = label.size() > 1 && label[0] == '0';
    return error == std::errc{} && end == label.data() + label.size() && !has_zero_in_front ? std::optional{value}
                                                                                            : std::nullopt;
}

std::optional<std::uint8_t> nibble(std::string_view label) {
    std::uint8_t value = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), value, 16);
    return error == std::errc{} && label.size() == 1 && end == label.data() + 1 ? std::optional{value} : std::nullopt;
}

std::optional<net::IpAddress> ipv4(const Labels& labels) {
    std::array<std::uint8_t, 4> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto value = decimal(labels[bytes.size() - 1 - i]);
        if (!value) {
            return std::nullopt;
        }
        bytes[i] = *value;
    }
    return net::IpAddress{bytes};
}

std::optional<net::IpAddress> ipv6(const Labels& labels) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto low = nibble(labels[2 * (bytes.size() - 1 - i)]);
        const auto high = nibble(labels[2 * (bytes.size() - 1 - i) + 1]);
        if (!low || !high) {
            return std::nullopt;
        }
        bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
    }
    return net::IpAddress{bytes};
}

}  // namespace

std::optional<net::IpAddress> address_of_reverse_name(const Name& name) {
    Labels labels;
    name.for_each_label([&](std::string_view label) { labels.push_back(label); });
    if (labels.size() < 2 || !is_equal(labels.back(), "arpa")) {
        return std::nullopt;
    }
    const auto zone = labels[labels.size() - 2];
    if (labels.size() == 4 + 2 && is_equal(zone, "in-addr")) {
        return ipv4(labels);
    }
    if (labels.size() == 32 + 2 && is_equal(zone, "ip6")) {
        return ipv6(labels);
    }
    return std::nullopt;
}

}  // namespace culvert::dns
