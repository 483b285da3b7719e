// The contract of base/sans_io.h, whatever devices, administrators and the database do.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "culvert/portal/control_plane_fixture.h"

namespace culvert::portal {
namespace {

using namespace portal_api;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// Does something at random, again and again, and looks at all that the control plane says.
class ControlPlaneContract : public ControlPlaneTest {
protected:
    void do_something() {
        storage_.calls_until_failure.reset();
        if (below(8) == 0) {
            storage_.calls_until_failure = below(12);
        }
        switch (below(12)) {
            case 0:
            case 1:
                return connect_somebody();
            case 2:
            case 3:
            case 4:
                return with_session([&](SessionId id, Role role) { say(id, join_text(role)); });
            case 5:
                return with_session([&](SessionId id, Role role) { say(id, anything(role)); });
            case 6:
            case 7:
            case 8:
                return with_session([&](SessionId id, Role role) { say(id, signalling(role)); });
            case 9:
                return with_session([&](SessionId id, Role) {
                    portal_->disconnect(id, now_);
                    open_.erase(id);
                });
            case 10:
                return change_something();
            default:
                return let_time_pass();
        }
    }

    /// Takes all outputs, and does what is due as a driver does, until nothing is.
    void settle() {
        take_outputs();
        for (int i = 0; portal_->poll_timeout() && *portal_->poll_timeout() <= now_; ++i) {
            ASSERT_LT(i, 5) << "asks to be called again and again at one instant";
            portal_->handle_timeout(now_, wall());
            take_outputs();
        }
        contract::expect_spurious_timeout_is_invisible(*portal_, now_, wall_seconds());
    }

private:
    std::uint64_t below(std::uint64_t bound) { return rng_.below(bound); }

    template <typename Do>
    void with_session(const Do& act) {
        if (!open_.empty()) {
            const auto chosen = std::next(open_.begin(), static_cast<std::ptrdiff_t>(below(open_.size())));
            act(chosen->first, Role{chosen->second});
        }
    }

    std::string token_of(Role role) {
        auto& tokens = tokens_[role];
        if (tokens.empty() || below(4) == 0) {
            storage_.calls_until_failure.reset();  // the test's own use of the database
            const auto expires_at =
                below(2) == 0 ? std::nullopt : std::optional{wall_seconds() + seconds{1 + below(600)}};
            tokens.push_back(role == Role::kClient    ? client_token(expires_at)
                             : role == Role::kGateway ? gateway_token()
                                                      : relay_token());
            token_ids_.push_back(last_token_);
        }
        return tokens[below(tokens.size())];
    }

    void connect_somebody() {
        const auto number = 1 + below(3);
        const auto kind = below(3);
        const auto request = kind == 0   ? client_request(token_of(Role::kClient), number)
                             : kind == 1 ? gateway_request(token_of(Role::kGateway), number)
                                         : relay_request(token_of(Role::kRelay), static_cast<std::uint8_t>(number));
        if (const auto session = portal_->connect(request, now_, wall())) {
            open_.emplace(*session, request.role);
        }
    }

    void say(SessionId id, const std::string& text) { portal_->handle_frame(id, text, now_, wall()); }

    std::string join_text(Role role) {
        return encode_join(role, 0,
                           role == Role::kRelay ? std::optional{"secret" + std::to_string(below(2))} : std::nullopt);
    }
    std::string anything(Role role) {
        switch (below(8)) {
            case 0:
                return "{";
            case 1:
                return R"({"topic":")" + std::string{to_topic(role)} + R"(","event":"phx_leave","payload":{},"ref":1})";
            default:
                return encode_heartbeat(1);
        }
    }
    std::string signalling(Role role) {
        if (role == Role::kClient) {
            return below(2) == 0
                       ? encode_from_device(FromClient{CreateFlow{resource_.id, {}}}, Dialect::kV1, 1)
                       : encode_from_device(FromClient{BroadcastGatewayIceCandidates{gateways_, {"candidate"}}},
                                            Dialect::kV1, 1);
        }
        if (role == Role::kGateway && !refs_.empty()) {
            return encode_from_device(FromGateway{FlowAuthorized{refs_[below(refs_.size())]}}, Dialect::kV1, 1);
        }
        return encode_heartbeat(1);
    }

    /// As another process does: the control plane hears of it at once, or later together with more.
    void change_something() {
        try {
            switch (below(5)) {
                case 0:
                    if (!token_ids_.empty()) {
                        storage_.erase(token_ids_[below(token_ids_.size())]);
                    }
                    break;
                case 1:
                    policy_.is_disabled = below(4) == 0;
                    storage_.put(policy_);
                    break;
                case 2:
                    resource_.address = "10.20." + std::to_string(below(3)) + ".0/24";
                    storage_.put(resource_);
                    break;
                case 3:
                    site_.name = "site" + std::to_string(below(2));
                    storage_.put(site_);
                    break;
                default:
                    if (!gateways_.empty()) {
                        storage_.erase(gateways_[below(gateways_.size())]);
                    }
                    break;
            }
            if (below(3) != 0) {
                portal_->handle_changes(now_, wall());
            }
        } catch (const StorageError&) {  // the server tries again
        }
    }

    void let_time_pass() {
        const auto end = now_ + (below(2) == 0 ? Duration{milliseconds{below(5000)}} : Duration{seconds{below(200)}});
        while (portal_->poll_timeout() && *portal_->poll_timeout() <= end) {
            now_ = std::max(now_, *portal_->poll_timeout() - Duration{1});
            settle();
            now_ += Duration{1};
            settle();
        }
        now_ = end;
    }

    void take_outputs() {
        while (const auto output = portal_->poll_output()) {
            if (const auto* close = std::get_if<CloseSession>(&*output)) {
                EXPECT_EQ(open_.erase(close->session), 1U) << "closed a session that was not open";
                continue;
            }
            const auto& frame = std::get<SendFrame>(*output);
            const auto to = open_.find(frame.session);
            ASSERT_NE(to, open_.end()) << "has something for a session that is not open: " << frame.text;
            note(to->second, frame.text);
        }
    }

    /// What devices have to know for what they say next.
    void note(Role role, const std::string& text) {
        const auto frame = decode_to_device(role, Dialect::kV1, text);
        ASSERT_TRUE(frame) << text;
        const auto* message = std::get_if<MessageFrame>(&*frame);
        const auto* to_gateway = message == nullptr ? nullptr : std::get_if<ToGateway>(&message->message);
        const auto* to_client = message == nullptr ? nullptr : std::get_if<ToClient>(&message->message);
        if (const auto* asked = to_gateway == nullptr ? nullptr : std::get_if<AuthorizeFlow>(to_gateway)) {
            refs_.push_back(asked->ref);
        }
        if (const auto* created = to_client == nullptr ? nullptr : std::get_if<FlowCreated>(to_client)) {
            gateways_.push_back(created->gateway_id);
        }
    }

    std::map<SessionId, Role> open_;
    std::map<Role, std::vector<std::string>> tokens_;
    std::vector<TokenId> token_ids_;
    std::vector<std::string> refs_;
    std::vector<GatewayId> gateways_;
};

TEST_F(ControlPlaneContract, IsKeptWhateverHappens) {
    for (int i = 0; i < 4000 && !HasFailure(); ++i) {
        SCOPED_TRACE("step " + std::to_string(i));
        do_something();
        settle();
    }
    const auto statistics = portal_->statistics();
    EXPECT_GT(statistics.flows_authorized, 10U);
    EXPECT_GT(statistics.storage_errors, 10U);
    EXPECT_GT(statistics.access_rejected, 0U);
}

TEST_F(ControlPlaneTest, RelaysAreToldOfRevocationsEvenIfTheDatabaseFailsThen) {
    const auto relay = join(relay_request(relay_token()));
    const auto gateway = join(gateway_request(gateway_token()));
    const auto client = join(client_request(client_token()));
    take_frames(relay);
    storage_.erase(last_token_);

    storage_.calls_until_failure = 6;  // directory, three tokens, one gateway, revocations: then flows
    EXPECT_THROW(announce_changes(), StorageError);
    collect();

    EXPECT_TRUE(is_closed(client));
    EXPECT_EQ(take<TurnUsers>(relay).size(), 1U);
    EXPECT_FALSE(is_closed(gateway));
}

}  // namespace
}  // namespace culvert::portal
