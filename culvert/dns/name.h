#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "culvert/base/bytes.h"

namespace culvert::dns {

enum class NameError : std::uint8_t { kTooShort, kTooLong, kBadLabel, kBadPointer };

/// A domain name: labels of any octets, spelled as they came. Names are the same whatever the case of their ASCII
/// letters (RFC 4343). Always absolute; the default is the root.
class Name {
public:
    /// With the octets that count the labels and the end (RFC 1035 section 2.3.4).
    static constexpr std::size_t kMaxSize = 255;
    static constexpr std::size_t kMaxLabelSize = 63;

    Name() = default;

    /// From presentation form, with or without the dot at the end: `\.` and `\046` are octets of a label. nullopt for
    /// empty labels, for labels and names that are too long and for bad escapes.
    [[nodiscard]] static std::optional<Name> parse(std::string_view text);

    /// The name that begins at `at` of `message`, decompressed; moves `at` behind it. Pointers must point in front of
    /// what was read so far, so that reading ends; nobody needs more of them than a name has labels.
    [[nodiscard]] static std::expected<Name, NameError> read(ByteSpan message, std::size_t& at);

    /// Presentation form without the dot at the end; "." for the root.
    [[nodiscard]] std::string to_string() const;
    /// Uncompressed, with the empty label at the end.
    [[nodiscard]] ByteSpan wire() const { return as_bytes(wire_); }

    [[nodiscard]] bool is_root() const { return wire_.size() == 1; }
    [[nodiscard]] std::size_t label_count() const;

    /// Calls visit(std::string_view) for each label, leftmost first.
    template <typename Visit>
    void for_each_label(Visit visit) const {
        for (std::size_t at = 0; at + 1 < wire_.size();) {
            const auto size = static_cast<std::uint8_t>(wire_[at]);
            visit(std::string_view{wire_}.substr(at + 1, size));
            at += 1 + std::size_t{size};
        }
    }

    friend bool operator==(const Name& a, const Name& b);
    /// Some order; not the canonical one of DNSSEC.
    friend std::weak_ordering operator<=>(const Name& a, const Name& b);
    /// The same for names that are the same.
    [[nodiscard]] std::size_t hash() const;

private:
    explicit Name(std::string wire) : wire_{std::move(wire)} {}
    /// Refuses what does not fit.
    bool append(std::string_view label);

    std::string wire_ = std::string(1, '\0');
};

/// Moves `at` behind the name that begins there, without looking where a pointer leads. False if the name does not
/// end within the message.
[[nodiscard]] bool skip_name(ByteSpan message, std::size_t& at);

/// Appends a label as presentation form shows it: what is not printable as `\DDD`, and a backslash in front of spaces,
/// dots and backslashes.
void append_presentation(std::string& out, std::string_view label);

[[nodiscard]] constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace culvert::dns
