#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "culvert/net/ip_address.h"

namespace culvert::turn {

/// How many allocations (or channels) come from where, and whose they are.
///
/// A source is an IPv4 address or an IPv6 /48. A relay cannot tell who owns a device, and one token makes users by the
/// dozen; what it can tell is where they are, since an allocation is only made for who receives at its address.
class SourceShares {
public:
    void add(const net::IpAddress& client, std::string_view user, std::size_t count = 1);
    /// Requires that so many were added and not removed.
    void remove(const net::IpAddress& client, std::string_view user, std::size_t count = 1);

    /// What each source may have of `total` when not all can have what they want, `client`'s being one of them.
    [[nodiscard]] std::size_t share(std::size_t total, const net::IpAddress& client) const;
    /// Whether this source may have one more of `total`, of which all sources together have `taken`.
    [[nodiscard]] bool may_have_more(std::size_t total, std::size_t taken, const net::IpAddress& client) const;
    /// How many this source has.
    [[nodiscard]] std::size_t count(const net::IpAddress& client) const;

    struct Largest {
        net::IpAddress source;
        std::size_t count = 0;
        std::string_view user;  ///< who has most of them there; valid until the next add() or remove()
    };
    /// nullopt if there are no allocations.
    [[nodiscard]] std::optional<Largest> largest() const;

    /// The address that stands for all of a source.
    [[nodiscard]] static net::IpAddress source_of(const net::IpAddress& client);

private:
    struct Source {
        std::size_t count = 0;
        std::map<std::string, std::size_t, std::less<>> users;
        std::set<std::pair<std::size_t, std::string>> users_by_count;
    };
    template <typename Change>
    void change(const net::IpAddress& client, std::string_view user, Change change);

    std::map<net::IpAddress, Source> sources_;
    /// So that a full relay finds whose turn it is without looking at everybody.
    std::set<std::pair<std::size_t, net::IpAddress>> sources_by_count_;
};

}  // namespace culvert::turn
