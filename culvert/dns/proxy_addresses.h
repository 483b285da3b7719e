#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/dns/name.h"
#include "culvert/dns/proxy_sequence.h"
#include "culvert/net/ip_address.h"

namespace culvert {
class Snapshot;
}

namespace culvert::dns {

/// Which addresses the names of a resource have.
enum class IpStack : std::uint8_t { kDual, kIpv4Only, kIpv6Only };
[[nodiscard]] constexpr bool has_family(IpStack stack, net::Family family) {
    return stack != (family == net::Family::kIpv4 ? IpStack::kIpv6Only : IpStack::kIpv4Only);
}

/// The addresses of a name, to be kept until the next session: IPv4 first, each in the order of the answers.
struct ProxyRecord {
    Name domain;
    ResourceId resource;
    std::vector<net::IpAddress> addresses;

    friend bool operator==(const ProxyRecord&, const ProxyRecord&) = default;
};

/// Addresses that stand for names of DNS resources (spec/dns.md section 6): four of each family for a name in a
/// resource, given once and for good. They outlive the resource and, by way of records() and restore(), the session:
/// applications that never ask again must not reach something else.
class ProxyAddresses {
public:
    /// A name and its addresses.
    class Assignment {
    public:
        Assignment(Name domain, ResourceId resource) : domain_{std::move(domain)}, resource_{resource} {}

        /// As it was spelled first.
        [[nodiscard]] const Name& domain() const { return domain_; }
        [[nodiscard]] ResourceId resource() const { return resource_; }
        /// nullopt if the resource had no such addresses when the name was asked for, or if none were left.
        [[nodiscard]] std::optional<ProxyGroup> addresses(net::Family family) const;
        /// IPv4 first: none, four or eight.
        [[nodiscard]] std::vector<net::IpAddress> addresses() const;

    private:
        friend class ProxyAddresses;
        static constexpr std::uint32_t kNone = UINT32_MAX;

        Name domain_;
        ResourceId resource_;
        std::array<std::uint32_t, 2> groups_{kNone, kNone};
    };

    ProxyAddresses() = default;
    ProxyAddresses(ProxyAddresses&&) = default;
    ProxyAddresses& operator=(ProxyAddresses&&) = default;

    /// The addresses of `domain` as a name of `resource`; gives it those of `stack` that it does not have yet. Once
    /// there are none left, new names have none, and are not remembered.
    const Assignment& assign(const Name& domain, ResourceId resource, IpStack stack);

    [[nodiscard]] const Assignment* find(const Name& domain, ResourceId resource) const;
    /// Whose address this is: null if it was never given out.
    [[nodiscard]] const Assignment* find(const net::IpAddress& address) const;

    /// In the order in which the names were asked for.
    [[nodiscard]] const std::deque<Assignment>& assignments() const { return assignments_; }

    /// Everything, for the next session.
    [[nodiscard]] std::vector<ProxyRecord> records() const;
    /// What records() gave to an earlier session; new addresses come after these. Returns how many were left out
    /// because they cannot have come from there.
    std::size_t restore(std::span<const ProxyRecord> records);
    /// Whether assign() gave out anything since this was asked last.
    [[nodiscard]] bool take_changed() { return std::exchange(has_changed_, false); }

    /// For snapshots.
    void describe(Snapshot& out) const;

private:
    using Key = std::pair<const Name&, ResourceId>;
    struct Less {
        using is_transparent = void;
        static Key key(const Assignment* assignment) { return {assignment->domain(), assignment->resource()}; }
        static Key key(const Key& key) { return key; }
        bool operator()(const auto& a, const auto& b) const { return key(a) < key(b); }
    };
    struct Family {
        /// Who has the groups that were given out.
        std::vector<Assignment*> owners;
    };

    Assignment& add(const Name& domain, ResourceId resource);
    void give(Assignment& assignment, net::Family family);
    void warn_once();
    [[nodiscard]] bool has_free(IpStack stack) const;
    bool restore(const ProxyRecord& record);
    [[nodiscard]] bool is_free(net::Family family, std::uint32_t group) const;
    void own(Assignment& assignment, net::Family family, std::uint32_t group);

    std::deque<Assignment> assignments_;
    std::set<Assignment*, Less> by_name_;
    std::array<Family, 2> families_;
    bool has_changed_ = false;
    bool has_warned_ = false;
};

}  // namespace culvert::dns
