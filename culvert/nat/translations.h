#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"

namespace culvert::nat {

/// What the proxy IPs of one client stand for: the addresses that names resolved to (spec/tunnel.md section 6.5).
///
/// Only says where a new session goes; see SessionTable for those that run. At most kMaxNames names; those that were
/// set up longest ago give way.
///
/// A proxy IP stands for one name until the client numbers anew: a session that began towards one must never serve
/// what another resource permits.
class Translations {
public:
    struct Target {
        ResourceId resource;
        /// nullopt: the name has no address of this family.
        std::optional<net::IpAddress> real;

        friend bool operator==(const Target&, const Target&) = default;
    };

    enum class Change : std::uint8_t {
        kNone,       ///< The same as before, or only more of it.
        kElsewhere,  ///< New sessions go elsewhere; those that run go on.
        /// Others gave way: sessions of proxy IPs that stand for nothing any more have to go as well.
        kMadeRoom,
        /// A proxy IP was of another name or resource, or the name has others than it had: the client numbers anew. All
        /// other translations are gone, and its sessions have to go as well.
        kStartedOver
    };
    /// Maps each of `proxies`, and those that the name had before, to one of `resolved` of its family, both in
    /// ascending order, over and over again, as every name with fewer addresses than proxy IPs needs it. Requires
    /// lower-case names, and proxy IPs and addresses that may be what they claim to be, of the former at most
    /// kMaxProxies.
    Change assign(const ResourceId& resource, const std::string& domain, std::span<const net::IpAddress> proxies,
                  std::span<const net::IpAddress> resolved);

    /// Null: nobody was given this proxy IP.
    [[nodiscard]] const Target* find(const net::IpAddress& proxy) const;

    /// In lower case. Null: nobody was given this proxy IP.
    [[nodiscard]] const std::string* name_of(const net::IpAddress& proxy) const;

    void forget_resource(const ResourceId& resource);
    void clear();

    /// Calls visit(proxy, target) for each, by address.
    template <typename Visitor>
    void for_each(Visitor visit) const {
        for (const auto& [proxy, entry] : by_proxy_) {
            visit(proxy, entry.target);
        }
    }

    [[nodiscard]] std::size_t names() const { return by_name_.size(); }
    [[nodiscard]] std::size_t size() const { return by_proxy_.size(); }

private:
    /// Names of two resources are two names.
    using Name = std::pair<ResourceId, std::string>;
    struct Assignment {
        std::vector<net::IpAddress> proxies;
        /// In the order in which they were set up.
        std::list<Name>::iterator age;
    };
    using Assignments = std::map<Name, Assignment>;
    struct Entry {
        Target target;
        Assignments::iterator name;
    };

    void forget(Assignments::iterator assignment);

    std::map<net::IpAddress, Entry> by_proxy_;
    Assignments by_name_;
    std::list<Name> ages_;
};

}  // namespace culvert::nat
