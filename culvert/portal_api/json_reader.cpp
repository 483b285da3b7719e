#include "culvert/portal_api/json_reader.h"

#include <algorithm>
#include <limits>

#include <boost/json/array.hpp>

#include "culvert/base/base64.h"

namespace culvert::portal_api {
namespace {

// The end of year 9999: beyond it calendars and the wire's other implementations differ, and adding to a time
// overflows.
constexpr std::int64_t kLastTimestamp = 253'402'300'799;

const json::value kNull;

std::optional<std::array<std::byte, 32>> parse_key(std::string_view text) {
    const auto bytes = from_base64(text, Base64::kStandard);
    if (!bytes || bytes->size() != 32) {
        return std::nullopt;
    }
    std::array<std::byte, 32> key;
    std::ranges::copy(*bytes, key.begin());
    return key;
}

UnixSeconds to_timestamp(const json::value& value, const Place& place, Problem& problem) {
    const auto* seconds = value.if_int64();
    if (!seconds || *seconds < -kLastTimestamp || *seconds > kLastTimestamp) {
        problem.report(place, "expected Unix seconds");
        return {};
    }
    return UnixSeconds{std::chrono::seconds{*seconds}};
}

}  // namespace

std::string Place::to_string() const {
    if (!parent) {
        return std::string{name};
    }
    const auto before = parent->to_string();
    return name.starts_with('[') || before.empty() ? before + std::string{name} : before + "." + std::string{name};
}

void Problem::report(const Place& place, std::string_view what) {
    if (is_none()) {
        text_ = place.to_string();
        text_ += ": ";
        text_ += what;
    }
}

ObjectReader::ObjectReader(const json::value& value, Place place, Problem& problem)
    : object_{value.if_object()}, place_{place}, problem_{problem} {
    if (!object_) {
        problem_.report(place_, "expected an object");
    }
}

const json::value* ObjectReader::find(std::string_view key) const {
    return object_ ? object_->if_contains(key) : nullptr;
}

const json::value* ObjectReader::require(std::string_view key) const {
    const auto* value = find(key);
    if (!value) {
        problem_.report({&place_, key}, "missing");
    }
    return value;
}

ObjectReader ObjectReader::object(std::string_view key) const {
    const auto* value = require(key);
    return ObjectReader{value ? *value : kNull, {&place_, key}, problem_};
}

std::string ObjectReader::string(std::string_view key) const {
    const auto* value = require(key);
    if (!value) {
        return {};
    }
    const auto* text = value->if_string();
    if (!text) {
        problem_.report({&place_, key}, "expected a string");
        return {};
    }
    return std::string{as_text(*text)};
}

std::optional<std::string> ObjectReader::optional_string(std::string_view key) const {
    const auto* value = find(key);
    if (!value || value->is_null()) {
        return std::nullopt;
    }
    return string(key);
}

bool ObjectReader::boolean(std::string_view key) const {
    const auto* value = require(key);
    const auto* boolean = value ? value->if_bool() : nullptr;
    if (!boolean) {
        problem_.report({&place_, key}, "expected a boolean");
        return false;
    }
    return *boolean;
}

std::uint16_t ObjectReader::port_or(std::string_view key, std::uint16_t otherwise) const {
    const auto* value = find(key);
    if (!value) {
        return otherwise;
    }
    const auto* number = value->if_int64();
    if (!number || *number < 0 || *number > 65535) {
        problem_.report({&place_, key}, "expected a port");
        return otherwise;
    }
    return static_cast<std::uint16_t>(*number);
}

std::uint32_t ObjectReader::count(std::string_view key) const {
    const auto* value = require(key);
    if (!value) {
        return 0;
    }
    constexpr auto kLargest = std::numeric_limits<std::uint32_t>::max();
    if (const auto* number = value->if_int64(); number && *number >= 0) {
        return static_cast<std::uint32_t>(std::min<std::int64_t>(*number, kLargest));
    }
    if (value->is_uint64()) {
        return kLargest;
    }
    problem_.report({&place_, key}, "expected a number");
    return 0;
}

UnixSeconds ObjectReader::timestamp(std::string_view key) const {
    const auto* value = require(key);
    return value ? to_timestamp(*value, {&place_, key}, problem_) : UnixSeconds{};
}

std::optional<UnixSeconds> ObjectReader::optional_timestamp(std::string_view key) const {
    const auto* value = find(key);
    if (!value || value->is_null()) {
        return std::nullopt;
    }
    return to_timestamp(*value, {&place_, key}, problem_);
}

template <typename T, typename Parse>
T ObjectReader::parsed(std::string_view key, Parse parse, std::string_view what) const {
    const auto* value = require(key);
    if (!value) {
        return {};
    }
    if (const auto* text = value->if_string()) {
        if (const auto result = parse(as_text(*text))) {
            return T{*result};
        }
    }
    problem_.report({&place_, key}, what);
    return {};
}

net::IpAddress ObjectReader::address(std::string_view key, net::Family family) const {
    const auto parse = [family](std::string_view text) {
        const auto address = net::IpAddress::parse(text);
        return address && address->family() == family ? address : std::nullopt;
    };
    const auto* what = family == net::Family::kIpv4 ? "expected an IPv4 address" : "expected an IPv6 address";
    auto address = parsed<net::IpAddress>(key, parse, what);
    return address.family() == family ? address : net::IpAddress::unspecified(family);
}

net::IpAddress ObjectReader::address(std::string_view key) const {
    return parsed<net::IpAddress>(key, net::IpAddress::parse, "expected an IP address");
}

net::SocketAddress ObjectReader::socket_address(std::string_view key) const {
    return parsed<net::SocketAddress>(key, net::SocketAddress::parse, "expected an address and a port");
}

net::IpNetwork ObjectReader::network(std::string_view key) const {
    return parsed<net::IpNetwork>(key, net::IpNetwork::parse, "expected a network without host bits");
}

crypto::PublicKey ObjectReader::public_key(std::string_view key) const {
    return parsed<crypto::PublicKey>(key, parse_key, "expected 32 bytes as base64");
}

crypto::PresharedKey ObjectReader::preshared_key(std::string_view key) const {
    return parsed<crypto::PresharedKey>(key, parse_key, "expected 32 bytes as base64");
}

std::vector<std::string> ObjectReader::strings(std::string_view key) const {
    std::vector<std::string> strings;
    each(key, [&](const json::value& value, const Place& place) {
        if (const auto* text = value.if_string()) {
            strings.emplace_back(as_text(*text));
        } else {
            problem_.report(place, "expected a string");
        }
    });
    return strings;
}

}  // namespace culvert::portal_api
