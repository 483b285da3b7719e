#pragma once

#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/tunnel/testing/tunnel_network.h"
#include "tests/model/names/names_judge.h"

namespace culvert::model::names {

/// A client and a gateway as they are, a hostile client, a resolver that is
/// slow, dies and lies, names that move, and sessions that end: a random
/// history of them under virtual time.
class NamesWorld {
public:
    explicit NamesWorld(std::uint64_t seed);

    void step();
    /// The resolver answers and is believed again; each name works for whoever
    /// may reach it, or has no address.
    void settle();

    [[nodiscard]] const std::vector<std::string>& violations() const { return judge_.violations(); }
    /// How much was tried.
    [[nodiscard]] std::vector<std::pair<std::uint64_t, std::string_view>> counts() const {
        return {{judge_.forwarded(), "packets reached a host"}, {judge_.delivered(), "answers came back"}};
    }
    /// What was done so far, for a person.
    [[nodiscard]] const std::string& history() const { return history_; }
    void note(const std::string& what) { history_ += what + "\n"; }

private:
    enum class Resolver : std::uint8_t { kHonest, kDead, kFails, kLies };

    /// The hostile client tells the gateway of it.
    void set_up(unsigned name);
    void claim();
    /// An application of the client asks for the name.
    void ask(unsigned name, net::Family family);
    void restart_client();
    void restart_gateway();
    void toggle_internet();
    void send_to_internet();
    void submit(const Sent& sent);
    void send(unsigned peer, unsigned name, net::Family family);
    void answer_again();
    void send_from_stranger();
    void allow(unsigned peer);
    void revoke(unsigned peer);
    void run_for(Duration duration);

    void connect_hostile();
    void resolve();
    void collect();
    void encapsulate(unsigned peer, ByteSpan packet);
    [[nodiscard]] net::Family draw_family() { return draw(2) == 0 ? net::Family::kIpv4 : net::Family::kIpv6; }
    [[nodiscard]] unsigned draw(unsigned bound) { return static_cast<unsigned>(rng_.below(bound)); }

    Rng rng_;
    tunnel::test::TunnelNetwork network_;
    tunnel::test::TunnelNetwork::Gateway& gateway_;
    unsigned sessions_ = 0;
    bool is_internet_wanted_ = false;
    NamesJudge judge_;
    Resolver resolver_ = Resolver::kHonest;
    std::array<unsigned, kNames> moves_{};
    std::uint64_t number_ = 1;
    std::array<bool, kPeers> is_allowed_{};
    std::string history_;
};

}  // namespace culvert::model::names
