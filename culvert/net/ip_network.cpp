#include "culvert/net/ip_network.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

namespace culvert::net {
namespace {

IpAddress masked(const IpAddress& address, unsigned prefix) {
    std::array<std::byte, 16> bytes{};
    const auto source = address.bytes();
    std::copy(source.begin(), source.end(), bytes.begin());
    for (unsigned i = 0; i < source.size(); ++i) {
        const auto kept = std::min(8U, prefix - std::min(prefix, 8 * i));
        bytes.at(i) &= static_cast<std::byte>(0xff00U >> kept);
    }
    return IpAddress::from_bytes(ByteSpan{bytes}.first(source.size()));
}

}  // namespace

IpNetwork::IpNetwork(const IpAddress& address, unsigned prefix) : address_{masked(address, prefix)}, prefix_{prefix} {
    assert(prefix <= address.bit_length());
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto address = IpAddress::parse(text.substr(0, slash));
    const auto prefix_text = text.substr(slash + 1);
    unsigned prefix = 0;
    const auto [end, error] = std::from_chars(prefix_text.data(), prefix_text.data() + prefix_text.size(), prefix);
    if (!address || error != std::errc{} || end != prefix_text.data() + prefix_text.size() ||
        prefix > address->bit_length()) {
        return std::nullopt;
    }
    const IpNetwork network{*address, prefix};
    return network.address() == *address ? std::optional{network} : std::nullopt;
}

bool IpNetwork::contains(const IpAddress& address) const {
    return address.family() == family() && masked(address, prefix_) == address_;
}

bool IpNetwork::contains(const IpNetwork& other) const {
    return other.prefix_ >= prefix_ && contains(other.address_);
}

std::string IpNetwork::to_string() const {
    return address_.to_string() + "/" + std::to_string(prefix_);
}

}  // namespace culvert::net
