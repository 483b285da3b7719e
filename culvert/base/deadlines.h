#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string_view>

#include "culvert/base/enumerators.h"
#include "culvert/base/snapshot.h"
#include "culvert/base/time.h"

namespace culvert {

/// The earlier of two moments that may never come.
[[nodiscard]] constexpr std::optional<Instant> earliest(std::optional<Instant> a, std::optional<Instant> b) {
    return !a || (b && *b < *a) ? b : a;
}
/// The earliest of several.
[[nodiscard]] constexpr std::optional<Instant> earliest(std::optional<Instant> a, std::optional<Instant> b,
                                                        std::same_as<std::optional<Instant>> auto... others) {
    return earliest(earliest(a, b), others...);
}

/// What an object waits for, by name. poll_timeout(), what happens in handle_timeout() and the snapshot follow from
/// this one table:
///
///     enum class Due : std::uint8_t { kRefresh, kKeepAlive, kExpiry };
///     Deadlines<Due> due_;
///
///     std::optional<Instant> poll_timeout() const { return due_.next(); }
///
///     void handle_timeout(Instant now) {
///         due_.expire(now, [&](Due due) {
///             switch (due) {  // no default: a deadline that nobody handles does not compile
///                 case Due::kRefresh:   return refresh(now);
///                 case Due::kKeepAlive: return keep_alive(now);
///                 case Due::kExpiry:    return end();
///             }
///         });
///     }
///
/// A deadline that is not set never comes; there is no instant that means "never". Setting and clearing is a store
/// each, next() looks through all of them, and nothing allocates: fit for what is touched with every packet.
template <typename Name>
class Deadlines {
public:
    /// Requires `at` to be a moment that can come.
    constexpr void set(Name name, Instant at) {
        assert(at < kNever);
        slot(name) = at;
    }
    /// For a moment that may never come.
    constexpr void set(Name name, std::optional<Instant> at) { slot(name) = at.value_or(kNever); }
    /// Unless it is set for an earlier moment, or the same.
    constexpr void bring_forward(Name name, Instant at) { slot(name) = std::min(slot(name), at); }
    constexpr void clear(Name name) { slot(name) = kNever; }
    constexpr void clear() { at_.fill(kNever); }

    [[nodiscard]] constexpr bool is_set(Name name) const { return slot(name) != kNever; }
    [[nodiscard]] constexpr bool is_due(Name name, Instant now) const { return slot(name) <= now; }
    [[nodiscard]] constexpr std::optional<Instant> get(Name name) const { return to_optional(slot(name)); }

    /// The earliest of all.
    [[nodiscard]] constexpr std::optional<Instant> next() const { return to_optional(*std::ranges::min_element(at_)); }

    /// Hands what is due at `now` to `handle`, earliest first, at the same moment in the order of the names. Each is
    /// cleared before it is handed over. What `handle` sets anew is for the next call, even if it is due at once; what
    /// it clears or puts off does not come.
    template <std::invocable<Name> Handle>
    constexpr void expire(Instant now, Handle&& handle) {
        std::array<bool, kCount> is_due{};
        for (std::size_t i = 0; i < kCount; ++i) {
            is_due[i] = at_[i] <= now;
        }
        while (true) {
            auto first = kCount;
            for (std::size_t i = 0; i < kCount; ++i) {
                if (is_due[i] && at_[i] <= now && (first == kCount || at_[i] < at_[first])) {
                    first = i;
                }
            }
            if (first == kCount) {
                return;
            }
            is_due[first] = false;
            at_[first] = kNever;
            handle(static_cast<Name>(first));
        }
    }

    /// Adds a field per deadline to the current line: `kKeepAlive` becomes `keep_alive`.
    void describe(Snapshot& out) const {
        for (std::size_t i = 0; i < kCount; ++i) {
            out.field(Snapshot::key_of(kEnumeratorNames<Name>[i]), to_optional(at_[i]));
        }
    }

    friend bool operator==(const Deadlines&, const Deadlines&) = default;

private:
    static constexpr std::size_t kCount = kEnumeratorCount<Name>;
    /// Only within this class, so that a look at a deadline is one comparison.
    static constexpr Instant kNever = Instant::max();
    static_assert(kCount > 0);

    [[nodiscard]] constexpr Instant& slot(Name name) { return at_[static_cast<std::size_t>(name)]; }
    [[nodiscard]] constexpr const Instant& slot(Name name) const { return at_[static_cast<std::size_t>(name)]; }
    [[nodiscard]] static constexpr std::optional<Instant> to_optional(Instant at) {
        return at == kNever ? std::nullopt : std::optional{at};
    }

    std::array<Instant, kCount> at_ = [] {
        std::array<Instant, kCount> all{};
        all.fill(kNever);
        return all;
    }();
};

}  // namespace culvert
