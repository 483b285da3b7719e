#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "culvert/base/time.h"
#include "culvert/net/socket_address.h"

namespace culvert::turn {

/// Which allocation of a source is missed least: first those of users who have more than one there, of these first
/// those without channels, of these first those that were refreshed longest ago.
class AllocationRanking {
public:
    /// Requires that this client has none.
    void add(const net::SocketAddress& client, std::string_view user, Instant heard_at);
    /// Requires an allocation of this client.
    void remove(const net::SocketAddress& client);
    /// Requires an allocation of this client.
    void set_used(const net::SocketAddress& client, bool is_used);
    /// Requires an allocation of this client.
    void set_heard_at(const net::SocketAddress& client, Instant at);

    /// `source` as of SourceShares::source_of(). Requires an allocation there.
    [[nodiscard]] const net::SocketAddress& least_useful(const net::IpAddress& source) const;

private:
    struct Entry {
        std::string user;
        bool is_used = false;
        Instant heard_at;
    };
    /// Whether it is its user's only one there, whether it is used, when it was heard of last, whose it is.
    using Rank = std::tuple<bool, bool, Instant, net::SocketAddress>;
    struct Source {
        std::map<std::string, std::set<net::SocketAddress>, std::less<>> clients;  ///< by user
        std::set<Rank> ranks;
    };

    template <typename Change>
    void change(const net::SocketAddress& client, Change change);
    /// Requires that the user has an allocation there.
    static Rank rank(const Source& source, const net::SocketAddress& client, const Entry& entry);

    std::map<net::SocketAddress, Entry> entries_;
    std::map<net::IpAddress, Source> sources_;
};

}  // namespace culvert::turn
