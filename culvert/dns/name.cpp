#include "culvert/dns/name.h"

#include <algorithm>

namespace culvert::dns {

namespace {

constexpr std::size_t kMaxPointers = 127;  // as many labels as a name can have
constexpr std::uint8_t kPointer = 0xc0;
constexpr std::size_t kHeaderSize = 12;

std::uint8_t octet(ByteSpan message, std::size_t at) {
    return std::to_integer<std::uint8_t>(message[at]);
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
    Name name;
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
            return name;
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
        if (reading + 1 + size > message.size()) {
            return std::unexpected{NameError::kTooShort};
        }
        if (!name.append(as_text(message.subspan(reading + 1, size)))) {
            return std::unexpected{NameError::kTooLong};
        }
        reading += 1 + std::size_t{size};
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

std::weak_ordering operator<=>(const Name& a, const Name& b) {
    // The octets that count are below 'A': no letters.
    return std::lexicographical_compare_three_way(
        a.wire_.begin(), a.wire_.end(), b.wire_.begin(), b.wire_.end(), [](char x, char y) -> std::weak_ordering {
            return static_cast<unsigned char>(to_lower(x)) <=> static_cast<unsigned char>(to_lower(y));
        });
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
