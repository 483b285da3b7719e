#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// Structured logging. A line has a level, a target (the folder it comes from), a message without variable parts and
/// fields. Levels and field names follow DESIGN: `cid`, `gid`, `rid` for client, gateway and resource ids; per-packet
/// lines are TRACE; names and addresses of customers never above DEBUG.
///
///     constexpr log::Logger kLog{"ice"};
///     kLog.debug("Nominated pair", log::field("cid", id), log::field("remote", remote));
///
/// Fields are turned into text only if the line is wanted, so a disabled line costs one comparison.
namespace culvert::log {

enum class Level : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kOff };

template <typename T>
struct Field {
    std::string_view key;
    const T& value;
};

template <typename T>
[[nodiscard]] Field<T> field(std::string_view key, const T& value) {
    return {key, value};
}

/// A field ready to be written.
struct TextField {
    std::string_view key;
    std::string value;
    /// Whether JSON writes it without quotes.
    bool is_number = false;
};

namespace detail {

extern std::atomic<Level> most_verbose;

[[nodiscard]] bool is_enabled(Level level, std::string_view target);
void write(Level level, std::string_view target, std::string_view message, const std::vector<TextField>& fields);

template <typename T>
TextField to_text(const Field<T>& field) {
    if constexpr (std::is_same_v<T, bool>) {
        return {field.key, field.value ? "true" : "false", true};
    } else if constexpr (std::is_arithmetic_v<T>) {
        return {field.key, std::to_string(field.value), true};
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        return {field.key, std::string{std::string_view{field.value}}};
    } else {
        return {field.key, field.value.to_string()};
    }
}

}  // namespace detail

class Logger {
public:
    consteval explicit Logger(std::string_view target) : target_{target} {}

    [[nodiscard]] bool is_enabled(Level level) const {
        return level >= detail::most_verbose.load(std::memory_order_relaxed) && detail::is_enabled(level, target_);
    }

    template <typename... T>
    void log(Level level, std::string_view message, const Field<T>&... fields) const {
        if (is_enabled(level)) {
            detail::write(level, target_, message, {detail::to_text(fields)...});
        }
    }
    template <typename... T>
    void trace(std::string_view message, const Field<T>&... fields) const {
        log(Level::kTrace, message, fields...);
    }
    template <typename... T>
    void debug(std::string_view message, const Field<T>&... fields) const {
        log(Level::kDebug, message, fields...);
    }
    template <typename... T>
    void info(std::string_view message, const Field<T>&... fields) const {
        log(Level::kInfo, message, fields...);
    }
    template <typename... T>
    void warn(std::string_view message, const Field<T>&... fields) const {
        log(Level::kWarn, message, fields...);
    }
    template <typename... T>
    void error(std::string_view message, const Field<T>&... fields) const {
        log(Level::kError, message, fields...);
    }

private:
    std::string_view target_;
};

}  // namespace culvert::log
