#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "culvert/base/time.h"

namespace culvert {

/// Collects the complete state of an object as text: one line per thing, `name key=value ...`, what belongs to a thing
/// indented below it. Canonical, so that two states are the same exactly if their texts are: the order is that of
/// ordered containers, times are relative to the moment of the snapshot, secrets appear as short hashes only
/// (crypto::fingerprint()).
///
/// For comparing runs, for reports of failures, and for seeing that nothing was left behind. Not for logs: it names
/// addresses.
class Snapshot {
public:
    explicit Snapshot(Instant now) : now_{now} {}

    /// Starts a line.
    Snapshot& line(std::string_view name);

    /// Adds to the line: flags, numbers, enumerations, times, texts and whatever has to_string(); of an optional its
    /// value, or "-".
    template <typename T>
    Snapshot& field(std::string_view key, const T& value) {
        text_ += ' ';
        text_ += key;
        text_ += '=';
        append(value);
        return *this;
    }

    /// What `describe()` writes belongs to the line before.
    template <typename Describe>
    Snapshot& nested(const Describe& describe) {
        ++depth_;
        describe();
        --depth_;
        return *this;
    }

    [[nodiscard]] const std::string& text() const { return text_; }

    /// The key of a field for what a constant stands for: `keep_alive` for `kKeepAlive`.
    [[nodiscard]] static std::string key_of(std::string_view constant);

private:
    void append(std::same_as<bool> auto value) { text_ += value ? "yes" : "no"; }
    void append(std::string_view value);
    void append(const char* value) { append(std::string_view{value}); }
    void append(const std::string& value) { append(std::string_view{value}); }
    void append(Instant value);
    void append(UnixSeconds value) { text_ += std::to_string(value.time_since_epoch().count()); }
    template <std::integral T>
        requires(!std::same_as<T, bool>)
    void append(T value) {
        text_ += std::to_string(value);
    }
    template <typename T>
        requires std::is_enum_v<T>
    void append(T value) {
        append(static_cast<std::underlying_type_t<T>>(value));
    }
    template <typename T>
    void append(const std::optional<T>& value) {
        value ? append(*value) : append(std::string_view{"-"});
    }
    template <typename T>
        requires requires(const T& value) { value.to_string(); }
    void append(const T& value) {
        text_ += value.to_string();
    }

    Instant now_;
    unsigned depth_ = 0;
    std::string text_;
};

}  // namespace culvert
