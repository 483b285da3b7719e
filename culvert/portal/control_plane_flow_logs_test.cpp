#include "culvert/portal/control_plane_fixture.h"

#include "culvert/portal/constants.h"
#include "culvert/portal/flow_ingestion.h"

namespace culvert::portal {
namespace {

using namespace std::chrono_literals;
using portal_api::FlowRole;

/// A client, a gateway, and flow logs that may be on.
class FlowLogs : public ControlPlaneTest {
protected:
    void switch_on(bool is_on = true) {
        auto account = storage_.load_directory().account;
        account.flow_logging.is_on = is_on;
        account.flow_logging.api_url = "https://portal.example.com";
        account.flow_logging.upload_interval = 5s;
        account.flow_logging.upload_batch_size = 77;
        storage_.put(account);
        announce_changes();
    }
    void connect_both() {
        client_ = join(client_request(client_token()));
        gateway_ = join(gateway_request(gateway_token()));
    }
    /// What both ends were given.
    struct Tokens {
        std::optional<portal_api::IngestClaims> client;
        std::optional<portal_api::IngestClaims> gateway;
    };
    Tokens request_access() {
        send(client_, portal_api::FromClient{portal_api::CreateFlow{resource_.id, {}}});
        const auto asked = take_one<portal_api::AuthorizeFlow>(gateway_);
        send(gateway_, portal_api::FromGateway{portal_api::FlowAuthorized{asked.ref}});
        const auto created = take_one<portal_api::FlowCreated>(client_);
        return {verified(created.flow_logs_ingest_token), verified(asked.flow_logs_ingest_token)};
    }
    std::optional<portal_api::IngestClaims> verified(const std::optional<std::string>& token) {
        const auto claims = token ? portal_api::verify_ingest_token(*token, storage_.ingest_key(rng_), {})
                                  : std::unexpected{portal_api::IngestTokenError::kMalformed};
        EXPECT_TRUE(claims);
        return claims ? std::optional{*claims} : std::nullopt;
    }

    Device client_;
    Device gateway_;
};

TEST_F(FlowLogs, AreOffAtFirst) {
    connect_both();
    const auto of_client = take_one<portal_api::ClientInit>(client_).flow_logs;
    const auto of_gateway = take_one<portal_api::GatewayInit>(gateway_).flow_logs;
    ASSERT_TRUE(of_client && of_gateway);
    EXPECT_EQ(of_client->upload_interval_secs, 0U);
    EXPECT_EQ(*of_gateway, *of_client);
    const auto tokens = request_access();
    EXPECT_FALSE(tokens.client->uploads_enabled);
    EXPECT_FALSE(tokens.gateway->uploads_enabled);
}

TEST_F(FlowLogs, TokensSayWhoMayReachWhat) {
    switch_on();
    connect_both();
    const auto settings = take_one<portal_api::ClientInit>(client_).flow_logs;
    ASSERT_TRUE(settings);
    EXPECT_EQ(*settings, (portal_api::FlowLogSettings{"https://portal.example.com", 5, 77}));
    const auto tokens = request_access();
    const auto& claims = *tokens.client;

    const auto directory = storage_.load_directory();
    EXPECT_TRUE(claims.uploads_enabled);
    EXPECT_EQ(claims.account, directory.account.id);
    EXPECT_EQ(claims.role, FlowRole::kInitiator);
    EXPECT_EQ(claims.policy, policy_.id.uuid());
    EXPECT_EQ(claims.resource, resource_.id);
    EXPECT_EQ(claims.resource_name, "lan");
    EXPECT_EQ(claims.resource_address, "10.20.0.0/24");
    EXPECT_EQ(claims.initiator_actor, actor_.id.uuid());
    EXPECT_EQ(claims.initiator_actor_name, "alice");
    EXPECT_EQ(claims.initiator_actor_email, "alice@example.com");
    EXPECT_EQ(claims.initiator_device_os_name, "Ubuntu");
    EXPECT_EQ(claims.expires_at, kNever + kIngestGrace);
    EXPECT_EQ(claims.authorization_expires_at, "2038-01-01T00:00:00Z");
    const auto flows = storage_.find_flows(GatewayId{claims.responder_device});
    ASSERT_EQ(flows.size(), 1U);
    EXPECT_EQ(claims.policy_authorization, flows[0].id.uuid());
    EXPECT_EQ(claims.initiator_device, flows[0].client.uuid());
    auto of_gateway = *tokens.gateway;
    EXPECT_EQ(of_gateway.role, FlowRole::kResponder);
    of_gateway.role = FlowRole::kInitiator;
    EXPECT_EQ(of_gateway, claims) << "the only difference";
}

TEST_F(FlowLogs, OfAPolicyCanBeOff) {
    policy_.logs_flows = false;
    storage_.put(policy_);
    switch_on();
    connect_both();
    EXPECT_FALSE(request_access().client->uploads_enabled);
}

TEST_F(FlowLogs, TheAccountsSwitchReachesDevicesAndWithdrawsAccess) {
    connect_both();
    EXPECT_FALSE(request_access().gateway->uploads_enabled);
    switch_on();
    const auto frames_of_client = take<portal_api::ClientInit>(client_);
    ASSERT_EQ(frames_of_client.size(), 1U);
    EXPECT_EQ(frames_of_client[0].flow_logs->upload_interval_secs, 5U);
    EXPECT_EQ(frames_of_client[0].resources.size(), 1U);
    EXPECT_TRUE(request_access().gateway->uploads_enabled);

    switch_on(false);
    const auto init = take_one<portal_api::GatewayInit>(gateway_);
    EXPECT_EQ(init.flow_logs->upload_interval_secs, 0U);
    EXPECT_FALSE(request_access().gateway->uploads_enabled);
}

TEST_F(FlowLogs, APolicysSwitchWithdrawsWhatItGranted) {
    switch_on();
    connect_both();
    EXPECT_TRUE(request_access().gateway->uploads_enabled);
    policy_.logs_flows = false;
    storage_.put(policy_);
    announce_changes();

    EXPECT_EQ(take<portal_api::RejectAccess>(gateway_).size(), 1U);
    EXPECT_EQ(take<portal_api::ResourceDeleted>(client_).size(), 1U) << "so that it asks again";
    EXPECT_FALSE(request_access().gateway->uploads_enabled);
}

TEST_F(FlowLogs, NothingIsWithdrawnWhereNothingIsLogged) {
    connect_both();
    request_access();
    take_frames(gateway_);
    auto account = storage_.load_directory().account;
    account.flow_logging.max_records = 5;
    account.flow_logging.api_url = "https://elsewhere.example.com";
    storage_.put(account);
    announce_changes();
    EXPECT_TRUE(take_frames(gateway_).empty());
    EXPECT_TRUE(take_frames(client_).empty());
}

TEST_F(FlowLogs, AreTakenFromWhoWasGivenAToken) {
    switch_on();
    connect_both();
    send(client_, portal_api::FromClient{portal_api::CreateFlow{resource_.id, {}}});
    const auto token = take_one<portal_api::AuthorizeFlow>(gateway_).flow_logs_ingest_token;
    FlowIngestion ingestion{storage_, Rng::from_number(9)};
    const auto judged = ingestion.judge("Bearer " + *token, R"({"flow_logs":[]})", portal_->account(), {});
    EXPECT_TRUE(std::holds_alternative<FlowIngestion::Batch>(judged));
}

TEST_F(FlowLogs, OldOnesGoByThemselves) {
    switch_on();
    FlowLogEntry entry;
    entry.record.started_at = WallMicroseconds{1s};
    storage_.put(entry, {});
    now_ += 61s;
    portal_->handle_timeout(now_, wall());
    EXPECT_TRUE(storage_.find_flow_logs({}).empty());
}

}  // namespace
}  // namespace culvert::portal
