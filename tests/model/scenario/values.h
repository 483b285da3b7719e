#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tests/model/scenario/action.h"
#include "tests/model/scenario/enumerators.h"

/// How scripts write single values. None of them contains a space or `#`.
namespace culvert::model {

/// Text<T>::write() appends a value; Text<T>::read() gives nothing unless all of the text is one.
template <typename T>
struct Text;

template <std::unsigned_integral T>
struct Text<T> {
    static void write(std::string& out, T value) { out += std::to_string(value); }
    static std::optional<T> read(std::string_view text) {
        T value{};
        const auto* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        return error == std::errc{} && stop == end ? std::optional{value} : std::nullopt;
    }
};

template <>
struct Text<bool> {
    static void write(std::string& out, bool value) { out += value ? "yes" : "no"; }
    static std::optional<bool> read(std::string_view text) {
        return text == "yes" ? std::optional{true} : text == "no" ? std::optional{false} : std::nullopt;
    }
};

template <typename Enum>
    requires std::is_enum_v<Enum>
struct Text<Enum> {
    static void write(std::string& out, Enum value) { out += name_of(value); }
    static std::optional<Enum> read(std::string_view text) {
        const auto found = std::ranges::find(names_of<Enum>(), text);
        return found == names_of<Enum>().end() ? std::nullopt
                                               : std::optional{static_cast<Enum>(found - names_of<Enum>().begin())};
    }
};

/// `client1`
template <typename Tag>
struct Text<Number<Tag>> {
    static void write(std::string& out, Number<Tag> value) { out += name(value); }
    static std::optional<Number<Tag>> read(std::string_view text) {
        const auto value =
            text.starts_with(Tag::kName) ? Text<std::uint8_t>::read(text.substr(Tag::kName.size())) : std::nullopt;
        return value && *value > 0 ? std::optional{Number<Tag>{*value}} : std::nullopt;
    }
};

template <>
struct Text<PortalNo> {
    static void write(std::string& out, PortalNo /*portal*/) { out += "portal"; }
    static std::optional<PortalNo> read(std::string_view text) {
        return text == "portal" ? std::optional{PortalNo{}} : std::nullopt;
    }
};

/// `10ms` or `2s`
template <>
struct Text<milliseconds> {
    static void write(std::string& out, milliseconds value);
    static std::optional<milliseconds> read(std::string_view text);
};
template <>
struct Text<seconds> {
    static void write(std::string& out, seconds value) { Text<milliseconds>::write(out, value); }
    static std::optional<seconds> read(std::string_view text);
};

template <>
struct Text<std::string> {
    static void write(std::string& out, const std::string& value) { out += value; }
    static std::optional<std::string> read(std::string_view text) { return std::string{text}; }
};
template <typename T>
    requires std::same_as<T, net::IpAddress> || std::same_as<T, net::IpNetwork>
struct Text<T> {
    static void write(std::string& out, const T& value) { out += value.to_string(); }
    static std::optional<T> read(std::string_view text) { return T::parse(text); }
};

/// `tcp`, `tcp:80` or `tcp:80-90`
template <>
struct Text<portal_api::Filter> {
    static void write(std::string& out, const portal_api::Filter& value);
    static std::optional<portal_api::Filter> read(std::string_view text);
};

/// `resource1:5`
template <>
struct Text<HostOf> {
    static void write(std::string& out, const HostOf& value);
    static std::optional<HostOf> read(std::string_view text);
};
/// `gateway1:v6`
template <>
struct Text<TunnelOf> {
    static void write(std::string& out, const TunnelOf& value);
    static std::optional<TunnelOf> read(std::string_view text);
};
/// `address,independent,hairpins,timeout=60s`
template <>
struct Text<NatBox> {
    static void write(std::string& out, const NatBox& value);
    static std::optional<NatBox> read(std::string_view text);
};

/// An option that is not there is left out by its line.
template <typename T>
struct Text<std::optional<T>> {
    static void write(std::string& out, const std::optional<T>& value) { Text<T>::write(out, *value); }
    static std::optional<std::optional<T>> read(std::string_view text) {
        if (auto value = Text<T>::read(text)) {
            return std::optional<std::optional<T>>{std::in_place, std::move(*value)};
        }
        return std::nullopt;
    }
};

/// Whichever it is.
template <typename... Ts>
struct Text<std::variant<Ts...>> {
    static void write(std::string& out, const std::variant<Ts...>& value) {
        std::visit([&]<typename T>(const T& held) { Text<T>::write(out, held); }, value);
    }
    static std::optional<std::variant<Ts...>> read(std::string_view text) {
        std::optional<std::variant<Ts...>> result;
        const auto try_as = [&]<typename T>(std::type_identity<T>) {
            if (auto value = Text<T>::read(text)) {
                result.emplace(*value);
            }
            return result.has_value();
        };
        (try_as(std::type_identity<Ts>{}) || ...);
        return result;
    }
};

/// `tcp:80,icmp`
template <typename T>
struct Text<std::vector<T>> {
    static void write(std::string& out, const std::vector<T>& values) {
        for (const auto& value : values) {
            Text<T>::write(out, value);
            out += ',';
        }
        if (!values.empty()) {
            out.pop_back();
        }
    }
    static std::optional<std::vector<T>> read(std::string_view text) {
        std::vector<T> values;
        for (std::size_t begin = 0; begin <= text.size();) {
            const auto end = std::min(text.find(',', begin), text.size());
            auto value = Text<T>::read(text.substr(begin, end - begin));
            if (!value) {
                return std::nullopt;
            }
            values.push_back(std::move(*value));
            begin = end + 1;
        }
        return values;
    }
};

}  // namespace culvert::model
