#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "culvert/base/time.h"
#include "culvert/crypto/keys.h"
#include "culvert/net/ip_network.h"
#include "culvert/net/socket_address.h"

/// Typed access to parsed JSON. Private to portal_api: include it in .cpp files only.
namespace culvert::portal_api {

namespace json = boost::json;

/// Where in a document a value is; spelled out only when something is wrong there.
struct Place {
    const Place* parent = nullptr;
    std::string_view name;

    [[nodiscard]] std::string to_string() const;
};

/// The first thing that was found wrong. Readers go on with default values after it, so that decoders read as plain
/// lists of members; whoever started the decoding looks here once at the end.
class Problem {
public:
    [[nodiscard]] bool is_none() const { return text_.empty(); }
    [[nodiscard]] const std::string& text() const { return text_; }

    void report(const Place& place, std::string_view what);

private:
    std::string text_;
};

/// Reads the members of one object. Unknown members are never looked at.
///
/// Unless a function says otherwise a member is required and `null` is not a value.
class ObjectReader {
public:
    ObjectReader(const json::value& value, Place place, Problem& problem);
    ObjectReader(const ObjectReader&) = delete;
    ObjectReader& operator=(const ObjectReader&) = delete;

    [[nodiscard]] const Place& place() const { return place_; }
    [[nodiscard]] Problem& problem() const { return problem_; }

    /// nullptr if absent.
    [[nodiscard]] const json::value* find(std::string_view key) const;

    [[nodiscard]] ObjectReader object(std::string_view key) const;
    [[nodiscard]] std::string string(std::string_view key) const;
    /// May be absent or null.
    [[nodiscard]] std::optional<std::string> optional_string(std::string_view key) const;
    [[nodiscard]] bool boolean(std::string_view key) const;
    /// May be absent.
    [[nodiscard]] std::uint16_t port_or(std::string_view key, std::uint16_t otherwise) const;
    /// An integer that is not negative; what is too large counts as the largest.
    [[nodiscard]] std::uint32_t count(std::string_view key) const;

    /// Unix seconds within the years that calendars agree on.
    [[nodiscard]] UnixSeconds timestamp(std::string_view key) const;
    /// May be absent or null.
    [[nodiscard]] std::optional<UnixSeconds> optional_timestamp(std::string_view key) const;

    [[nodiscard]] net::IpAddress address(std::string_view key, net::Family family) const;
    /// Of either family.
    [[nodiscard]] net::IpAddress address(std::string_view key) const;
    [[nodiscard]] net::SocketAddress socket_address(std::string_view key) const;
    [[nodiscard]] net::IpNetwork network(std::string_view key) const;
    [[nodiscard]] crypto::PublicKey public_key(std::string_view key) const;
    [[nodiscard]] crypto::PresharedKey preshared_key(std::string_view key) const;

    template <typename IdType>
    [[nodiscard]] IdType id(std::string_view key) const {
        const auto* value = require(key);
        return value ? to_id<IdType>(*value, {&place_, key}, problem_) : IdType{};
    }
    template <typename IdType>
    [[nodiscard]] std::vector<IdType> ids(std::string_view key) const {
        std::vector<IdType> ids;
        each(key, [&](const json::value& value, const Place& place) {
            ids.push_back(to_id<IdType>(value, place, problem_));
        });
        return ids;
    }
    [[nodiscard]] std::vector<std::string> strings(std::string_view key) const;

    /// Calls `read(value, place)` for each element of an array.
    template <typename Read>
    void each(std::string_view key, Read read) const {
        if (const auto* value = require(key)) {
            each_of(*value, key, read);
        }
    }
    /// The same for an array that may be absent.
    template <typename Read>
    void each_if_present(std::string_view key, Read read) const {
        if (const auto* value = find(key)) {
            each_of(*value, key, read);
        }
    }

    template <typename IdType>
    [[nodiscard]] static IdType to_id(const json::value& value, const Place& place, Problem& problem) {
        if (const auto* text = value.if_string()) {
            if (const auto id = IdType::parse(std::string_view{text->data(), text->size()})) {
                return *id;
            }
        }
        problem.report(place, "expected a UUID");
        return {};
    }

private:
    template <typename Read>
    void each_of(const json::value& value, std::string_view key, Read& read) const {
        const Place place{&place_, key};
        const auto* array = value.if_array();
        if (!array) {
            problem_.report(place, "expected an array");
            return;
        }
        const Place element{&place, "[]"};
        for (const auto& item : *array) {
            read(item, element);
        }
    }

    template <typename T, typename Parse>
    [[nodiscard]] T parsed(std::string_view key, Parse parse, std::string_view what) const;

    /// Reports a missing member.
    [[nodiscard]] const json::value* require(std::string_view key) const;

    const json::object* object_;
    Place place_;
    Problem& problem_;
};

[[nodiscard]] inline std::string_view as_text(const json::string& text) {
    return {text.data(), text.size()};
}

}  // namespace culvert::portal_api
