#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/packet/builder.h"
#include "culvert/tunnel/constants.h"
#include "culvert/tunnel/testing/device_network.h"
#include "culvert/tunnel/testing/test_values.h"

// What a client without manners gets in, over random histories, compared with the dumbest possible model.
namespace culvert::tunnel::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kTarget = 1;
constexpr std::array<std::uint16_t, 4> kPorts = {22, 53, 80, 5000};
const ResourceId kOurPool = id<ResourceId>(20);

/// Who may come in, and why.
class Model {
public:
    struct Tuple {
        std::uint16_t ours;
        std::uint16_t theirs;

        friend auto operator<=>(const Tuple&, const Tuple&) = default;
    };
    using Flows = std::map<Tuple, Instant>;
    struct Terms {
        std::set<std::uint16_t> ports;  ///< Of UDP and TCP alike. Empty: all.
        UnixSeconds expires_at;
    };

    std::map<ResourceId, Terms> grants;

    void expire(UnixSeconds now) {
        std::erase_if(grants, [&](const auto& grant) { return grant.second.expires_at <= now; });
    }
    /// Sweeps and idle times are exact to a second or two: what happens so close to the end of something is not asked.
    [[nodiscard]] bool is_about_to_expire(UnixSeconds now) const {
        return std::ranges::any_of(grants, [&](const auto& grant) {
            return grant.second.expires_at - 2s <= now && now <= grant.second.expires_at + 2s;
        });
    }
    [[nodiscard]] bool is_about_to_end(const Tuple& datagram, Instant now) const {
        return std::ranges::any_of(std::array{&own_, &theirs_}, [&](const Flows* flows) {
            const auto flow = flows->find(datagram);
            return flow != flows->end() && now - flow->second > kDeviceDatagramIdleTime - 3s &&
                   now - flow->second < kDeviceDatagramIdleTime + 3s;
        });
    }
    [[nodiscard]] bool permits(std::uint16_t port) const {
        return std::ranges::any_of(
            grants, [&](const auto& grant) { return grant.second.ports.empty() || grant.second.ports.contains(port); });
    }
    bool comes_in(const Tuple& datagram, Instant now) {
        if (is_live(own_, datagram, now)) {
            own_[datagram] = now;
            return true;
        }
        if (!permits(datagram.ours)) {
            return false;
        }
        theirs_[datagram] = now;
        return true;
    }
    bool goes_out(const Tuple& datagram, Instant now) {
        if (is_live(own_, datagram, now)) {
            own_[datagram] = now;
            return true;
        }
        if (is_live(theirs_, datagram, now)) {
            if (permits(datagram.ours)) {
                theirs_[datagram] = now;
                return true;
            }
            return false;
        }
        own_[datagram] = now;
        return true;
    }

private:
    static bool is_live(Flows& flows, const Tuple& tuple, Instant now) {
        const auto flow = flows.find(tuple);
        return flow != flows.end() && now - flow->second <= kDeviceDatagramIdleTime;
    }

    Flows own_;
    Flows theirs_;
};

class DeviceHistories : public ::testing::TestWithParam<std::uint64_t> {
protected:
    void SetUp() override {
        network_.connect_rogue(kTarget, portal_api::PoolGrant{id<ResourceId>(10), {udp(1, 1)}},
                               network_.wall_now() + 24h);
        model_.grants[id<ResourceId>(10)] = {{1}, network_.wall_now() + 24h};
        portal_api::DevicePool ours{kOurPool, "pool", {}, {}};
        ours.devices.push_back({network_.rogue->id, network_.rogue->ipv4, network_.rogue->ipv6});
        network_.to_client(kTarget, portal_api::DevicePoolCreatedOrUpdated{ours});
        network_.is_portal_answering = false;
        network_.send(kTarget, datagram_from_host({9, 9}));
        network_.to_client(kTarget, network_.rogue_authorization(kTarget, std::nullopt));
        network_.run_for(100ms);
        ASSERT_EQ(network_.rogue->received.size(), 1U);
        static_cast<void>(model_.goes_out({9, 9}, network_.now));
    }

    net::SocketAddress host(std::uint16_t port) { return {network_.clients.at(kTarget).ipv4, port}; }
    net::SocketAddress rogue(std::uint16_t port) { return {network_.rogue->ipv4, port}; }
    Bytes datagram_from_host(const Model::Tuple& ports) {
        return packet::make_udp(host(ports.ours), rogue(ports.theirs), Bytes(1));
    }
    Bytes datagram_from_rogue(const Model::Tuple& ports) {
        return packet::make_udp(rogue(ports.theirs), host(ports.ours), Bytes(1));
    }

    bool gets_in(const Bytes& packet) {
        auto& received = network_.clients.at(kTarget).received;
        received.clear();
        network_.send_from_rogue(kTarget, packet);
        network_.run_for(30ms);
        return std::ranges::count(received, packet) > 0;
    }
    bool gets_out(const Bytes& packet) {
        network_.rogue->received.clear();
        network_.send(kTarget, packet);
        network_.run_for(30ms);
        return std::ranges::count(network_.rogue->received, packet) > 0;
    }

    std::uint16_t port() { return kPorts[rng_.below(kPorts.size())]; }
    Model::Tuple ports() { return {port(), port()}; }
    ResourceId pool() { return id<ResourceId>(static_cast<std::uint8_t>(10 + rng_.below(2))); }
    std::vector<portal_api::Filter> filters(std::set<std::uint16_t>& model) {
        std::vector<portal_api::Filter> made;
        for (auto left = rng_.below(3); left > 0; --left) {
            const auto one = port();
            model.insert(one);
            made.push_back(udp(one, one));
            made.push_back(tcp(one, one));
        }
        return made;
    }

    void change() {
        switch (rng_.below(4)) {
            case 0: {
                Model::Terms terms{{}, network_.wall_now() + std::chrono::seconds{30 + rng_.below(300)}};
                const portal_api::PoolGrant grant{pool(), filters(terms.ports)};
                network_.to_client(kTarget, network_.rogue_authorization(kTarget, grant, terms.expires_at));
                model_.grants[grant.id] = terms;
                break;
            }
            case 1: {
                const auto rejected = pool();
                network_.to_client(kTarget, portal_api::RejectAccess{network_.rogue->id, rejected});
                model_.grants.erase(rejected);
                break;
            }
            case 2: {
                std::set<std::uint16_t> model;
                const portal_api::PoolGrant grant{pool(), filters(model)};
                network_.to_client(kTarget, portal_api::ResourceFiltersUpdated{grant});
                if (const auto known = model_.grants.find(grant.id); known != model_.grants.end()) {
                    known->second.ports = model;
                }
                break;
            }
            default: {
                const auto listed = pool();
                const auto until = network_.wall_now() + std::chrono::seconds{60};
                network_.to_client(kTarget, reconciliation(listed, until));
                std::erase_if(model_.grants, [&](const auto& grant) { return grant.first != listed; });
                if (const auto known = model_.grants.find(listed); known != model_.grants.end()) {
                    known->second.expires_at = until;
                }
            }
        }
    }

    /// An `init` that changes nothing but what it lists.
    portal_api::ClientInit reconciliation(const ResourceId& listed, UnixSeconds until) {
        const auto& client = network_.clients.at(kTarget);
        portal_api::DevicePool ours{kOurPool, "pool", {}, {}};
        ours.devices.push_back({network_.rogue->id, network_.rogue->ipv4, network_.rogue->ipv6});
        portal_api::ClientInit init{};
        init.interface.ipv4 = client.ipv4;
        init.interface.ipv6 = client.ipv6;
        init.relays = network_.relays();
        init.device_pools = {ours};
        init.authorizations = {{network_.rogue->id, listed, until}};
        return init;
    }

    Rng rng_ = Rng::from_number(GetParam());
    DeviceNetwork network_{1};
    Model model_;
};

TEST_P(DeviceHistories, AgreeWithTheModel) {
    for (int step = 0; step < 400; ++step) {
        while (model_.is_about_to_expire(network_.wall_now())) {
            network_.run_for(1s);
        }
        model_.expire(network_.wall_now());
        const auto tuple = ports();
        if (model_.is_about_to_end(tuple, network_.now)) {
            network_.run_for(7s);
            continue;
        }
        SCOPED_TRACE("step " + std::to_string(step) + ", ports " + std::to_string(tuple.ours) + " and " +
                     std::to_string(tuple.theirs));
        switch (rng_.below(6)) {
            case 0:
                change();
                break;
            case 1:
                network_.run_for(std::chrono::seconds{std::array{3, 20, 50, 150}[rng_.below(4)]});
                break;
            case 2:
                ASSERT_EQ(gets_out(datagram_from_host(tuple)), model_.goes_out(tuple, network_.now));
                break;
            case 3: {
                const auto flags = rng_.below(2) == 0 ? packet::kTcpSyn : packet::kTcpAck;
                ASSERT_EQ(gets_in(packet::make_tcp(rogue(tuple.theirs), host(tuple.ours), {.flags = flags}, {})),
                          model_.permits(tuple.ours));
                static_cast<void>(
                    gets_out(packet::make_tcp(host(tuple.ours), rogue(tuple.theirs), {.flags = packet::kTcpAck}, {})));
                break;
            }
            default:
                ASSERT_EQ(gets_in(datagram_from_rogue(tuple)), model_.comes_in(tuple, network_.now));
        }
        network_.run_for(1100ms);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DeviceHistories, ::testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace culvert::tunnel::test
