#include "culvert/dns/name.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace culvert::dns {

namespace {

constexpr std::size_t kMaxPointers = 127;  // as many labels as a name can have
constexpr std::uint8_t kPointer = 0xc0;
constexpr std::size_t kHeaderSize = 12;

std::uint8_t octet(ByteSpan message, std::size_t at) {
    return std::to_integer<std::uint8_t>(message[at]);
}

constexpr std::size_t kWord = sizeof(std::uint64_t);

/// Eight octets as a number that orders like them, letters in lower case. The octets that count are below 'A', and so
/// are no letters.
std::uint64_t lower_word(std::string_view wire, std::size_t at) {
    constexpr auto of_each = [](std::uint64_t octet) { return octet * 0x0101010101010101U; };
    const auto word = load_be<std::uint64_t>(as_bytes(wire.substr(at)));
    // Added up without carry from octet to octet, the highest bit says whether it is at least 'A', and whether it is
    // above 'Z'.
    const auto low_bits = word & of_each(0x7f);
    const auto from_a = low_bits + of_each(0x80 - 'A');
    const auto above_z = low_bits + of_each(0x7f - 'Z');
    const auto is_upper = (from_a ^ above_z) & ~word & of_each(0x80);
    return word | is_upper >> 2;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// The octet that an escape stands for: `escape` is what follows the backslash, of which what belongs to it is removed.
std::optional<char> unescape(std::string_view& escape) {
    if (escape.empty()) {
        return std::nullopt;
    }
    if (!is_digit(escape[0])) {
        const char c = escape[0];
        escape.remove_prefix(1);
        return c;
    }
    if (escape.size() < 3 || !is_digit(escape[1]) || !is_digit(escape[2])) {
        return std::nullopt;
    }
    const int value = (escape[0] - '0') * 100 + (escape[1] - '0') * 10 + (escape[2] - '0');
    escape.remove_prefix(3);
    return value <= 255 ? std::optional{static_cast<char>(value)} : std::nullopt;
}

}  // namespace

std::optional<Name> Name::parse(std::string_view text) {
    if (text == ".") {
        return Name{};
    }
    Name name;
    std::string label;
    while (!text.empty()) {
        const char c = text[0];
        text.remove_prefix(1);
        if (c == '.') {
            if (!name.append(label)) {
                return std::nullopt;
            }
            label.clear();
            if (text.empty()) {
                return name;
            }
            continue;
        }
        const auto value = c == '\\' ? unescape(text) : std::optional{c};
        if (!value) {
            return std::nullopt;
        }
        label += *value;
    }
    return name.append(label) ? std::optional{std::move(name)} : std::nullopt;
}

std::expected<Name, NameError> Name::read(ByteSpan message, std::size_t& at) {
    std::array<char, kMaxSize> wire;
    std::size_t written = 0;
    std::size_t reading = at;
    std::size_t lowest = at;
    std::size_t pointers = 0;
    const auto move_behind = [&](std::size_t end) {
        if (pointers == 0) {
            at = end;
        }
    };
    while (true) {
        if (reading >= message.size()) {
            return std::unexpected{NameError::kTooShort};
        }
        const auto size = octet(message, reading);
        if (size == 0) {
            move_behind(reading + 1);
            wire[written] = '\0';
            return Name{std::string{wire.data(), written + 1}};
        }
        if (size >= kPointer) {
            if (reading + 2 > message.size()) {
                return std::unexpected{NameError::kTooShort};
            }
            const auto target = load_be<std::uint16_t>(message.subspan(reading)) & 0x3fffU;
            move_behind(reading + 2);
            if (target >= lowest || target < kHeaderSize || ++pointers > kMaxPointers) {
                return std::unexpected{NameError::kBadPointer};
            }
            reading = lowest = target;
            continue;
        }
        if (size > kMaxLabelSize) {
            return std::unexpected{NameError::kBadLabel};
        }
        const std::size_t whole = 1 + std::size_t{size};
        if (reading + whole > message.size()) {
            return std::unexpected{NameError::kTooShort};
        }
        if (written + whole + 1 > kMaxSize) {
            return std::unexpected{NameError::kTooLong};
        }
        std::memcpy(wire.data() + written, message.data() + reading, whole);
        written += whole;
        reading += whole;
    }
}

std::string Name::to_string() const {
    if (is_root()) {
        return ".";
    }
    std::string text;
    text.reserve(wire_.size());
    for_each_label([&](std::string_view label) {
        if (!text.empty()) {
            text += '.';
        }
        append_presentation(text, label);
    });
    return text;
}

std::size_t Name::label_count() const {
    std::size_t count = 0;
    for_each_label([&](std::string_view) { ++count; });
    return count;
}

bool operator==(const Name& a, const Name& b) {
    if (a.wire_.size() != b.wire_.size()) {
        return false;
    }
    std::size_t at = 0;
    for (; at + kWord <= a.wire_.size(); at += kWord) {
        if (lower_word(a.wire_, at) != lower_word(b.wire_, at)) {
            return false;
        }
    }
    return std::equal(a.wire_.begin() + static_cast<std::ptrdiff_t>(at), a.wire_.end(),
                      b.wire_.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::weak_ordering operator<=>(const Name& a, const Name& b) {
    const auto shorter = std::min(a.wire_.size(), b.wire_.size());
    std::size_t at = 0;
    for (; at + kWord <= shorter; at += kWord) {
        if (const auto order = lower_word(a.wire_, at) <=> lower_word(b.wire_, at); order != 0) {
            return order;
        }
    }
    for (; at < shorter; ++at) {
        const auto order =
            static_cast<unsigned char>(to_lower(a.wire_[at])) <=> static_cast<unsigned char>(to_lower(b.wire_[at]));
        if (order != 0) {
            return order;
        }
    }
    return a.wire_.size() <=> b.wire_.size();
}

std::size_t Name::hash() const {
    constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15U;
    std::uint64_t hash = wire_.size();
    const auto mix = [&](std::uint64_t word) {
        hash = (hash ^ word) * kFactor;
        hash ^= hash >> 32;
    };
    std::size_t at = 0;
    for (; at + kWord <= wire_.size(); at += kWord) {
        mix(lower_word(wire_, at));
    }
    for (; at < wire_.size(); ++at) {
        mix(static_cast<unsigned char>(to_lower(wire_[at])));
    }
    return static_cast<std::size_t>(hash);
}

bool Name::append(std::string_view label) {
    if (label.empty() || label.size() > kMaxLabelSize || wire_.size() + 1 + label.size() > kMaxSize) {
        return false;
    }
    wire_.back() = static_cast<char>(label.size());
    wire_ += label;
    wire_ += '\0';
    return true;
}

bool skip_name(ByteSpan message, std::size_t& at) {
    while (at < message.size()) {
        const auto size = octet(message, at);
        if (size >= kPointer) {
            at += 2;
            return at <= message.size();
        }
        if (size > Name::kMaxLabelSize) {
            return false;
        }
        at += 1 + std::size_t{size};
        if (size == 0) {
            return true;
        }
    }
    return false;
}

void append_presentation(std::string& out, std::string_view label) {
    for (const char c : label) {
        const auto value = static_cast<unsigned char>(c);
        if (value < 0x20 || value > 0x7e) {
            out += '\\';
            out += static_cast<char>('0' + value / 100);
            out += static_cast<char>('0' + value / 10 % 10);
            out += static_cast<char>('0' + value % 10);
        } else {
            if (c == ' ' || c == '.' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
    }
}

}  // namespace culvert::dns
