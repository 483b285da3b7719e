#pragma once

#include <string>
#include <utility>
#include <vector>

#include "culvert/portal/storage_fixture.h"

namespace culvert::portal {

/// What every storage must do with what devices report of flows, and with the switches for that.
template <typename Factory>
class StorageFlowLogsContract : public StorageFixture<Factory> {
protected:
    static WallMicroseconds moment(std::int64_t seconds) {
        return WallMicroseconds{std::chrono::seconds{1'787'393'702 + seconds} + std::chrono::microseconds{7}};
    }
    FlowLogEntry entry(std::int64_t start = 0) {
        return {.record = {.protocol = portal_api::FlowProtocol::kTcp,
                           .inner_source = *net::SocketAddress::parse("100.64.0.1:5000"),
                           .inner_destination = *net::SocketAddress::parse("[fd10:20::10]:443"),
                           .domain = "wiki.example",
                           .outers = {},
                           .started_at = moment(start),
                           .end = {}},
                .role = portal_api::FlowRole::kResponder,
                .initiator = client_,
                .responder = gateway_,
                .authorization = authorization_,
                .policy = this->policy_.id,
                .resource = this->resource_.id,
                .resource_name = "wiki",
                .actor = this->actor_.id,
                .actor_name = "alice",
                .actor_email = "alice@example.com"};
    }
    static FlowLogEntry closed(FlowLogEntry entry) {
        const auto start = entry.record.started_at;
        entry.record.outers = {{*net::SocketAddress::parse("10.99.0.2:52625"),
                                *net::SocketAddress::parse("198.51.100.40:52625"), start - std::chrono::seconds{1}},
                               {std::nullopt, *net::SocketAddress::parse("[2001:db8::20]:61743"), start}};
        entry.record.end = portal_api::FlowEnd{.ended_at = start + std::chrono::seconds{9},
                                               .last_packet = start + std::chrono::seconds{8},
                                               .rx_packets = 1,
                                               .tx_packets = 2,
                                               .rx_bytes = 3,
                                               .tx_bytes = 9'000'000'000'000'000'000};
        return entry;
    }
    std::vector<FlowLogEntry> all(FlowLogQuery query = {}) { return this->storage_->find_flow_logs(query); }
    FlowLogged put(const FlowLogEntry& entry, std::int64_t received_at = 100) {
        return this->storage_->put(entry, this->at(received_at));
    }

    Uuid client_ = Uuid::random(this->rng_);
    Uuid gateway_ = Uuid::random(this->rng_);
    Uuid authorization_ = Uuid::random(this->rng_);
};

TYPED_TEST_SUITE_P(StorageFlowLogsContract);

TYPED_TEST_P(StorageFlowLogsContract, ReturnsFlowsAsTheyWereReported) {
    auto other = this->closed(this->entry(1));
    other.role = portal_api::FlowRole::kInitiator;
    other.record.protocol = portal_api::FlowProtocol::kUdp;
    other.record.domain.reset();
    other.actor_email.reset();
    EXPECT_EQ(this->put(other), FlowLogged::kNew);
    EXPECT_EQ(this->put(this->entry()), FlowLogged::kNew);
    EXPECT_EQ(this->all(), (std::vector{this->entry(), other})) << "in the order in which they began";
}

TYPED_TEST_P(StorageFlowLogsContract, AFlowIsClosedOnce) {
    const auto open = this->entry();
    const auto closed = this->closed(open);
    EXPECT_EQ(this->put(open), FlowLogged::kNew);
    EXPECT_EQ(this->put(open), FlowLogged::kKnown);
    EXPECT_EQ(this->put(closed), FlowLogged::kClosed);
    EXPECT_EQ(this->all(), std::vector{closed});
    auto again = closed;
    again.record.end->tx_packets = 77;
    again.record.outers.pop_back();
    EXPECT_EQ(this->put(again), FlowLogged::kKnown);
    EXPECT_EQ(this->put(open), FlowLogged::kKnown) << "late";
    EXPECT_EQ(this->all(), std::vector{closed}) << "whatever comes again";
}

TYPED_TEST_P(StorageFlowLogsContract, TellsFlowsApart) {
    EXPECT_EQ(this->put(this->entry()), FlowLogged::kNew);
    auto other = this->entry();
    other.record.started_at += std::chrono::microseconds{1};
    EXPECT_EQ(this->put(other), FlowLogged::kNew);
    other = this->entry();
    other.role = portal_api::FlowRole::kInitiator;
    EXPECT_EQ(this->put(other), FlowLogged::kNew);
    other = this->entry();
    other.initiator = Uuid::random(this->rng_);
    EXPECT_EQ(this->put(other), FlowLogged::kNew);
    other = this->entry();
    other.record.protocol = portal_api::FlowProtocol::kUdp;
    EXPECT_EQ(this->put(other), FlowLogged::kNew);
    other = this->entry();
    ++other.record.inner_source.port;
    EXPECT_EQ(this->put(other), FlowLogged::kNew);
    other = this->entry();
    ++other.record.inner_destination.port;
    EXPECT_EQ(this->put(other), FlowLogged::kNew);
    other = this->entry();
    other.resource = ResourceId::random(this->rng_);
    EXPECT_EQ(this->put(other), FlowLogged::kNew);

    other = this->entry();
    other.responder = other.authorization = Uuid::random(this->rng_);
    other.record.domain = "other.example";
    EXPECT_EQ(this->put(other), FlowLogged::kKnown) << "these do not make another flow";
    EXPECT_EQ(this->all().size(), 8U);
}

TYPED_TEST_P(StorageFlowLogsContract, FindsWhatIsAskedFor) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(this->put(this->entry(i)), FlowLogged::kNew);
    }
    auto other = this->entry(9);
    other.initiator = Uuid::random(this->rng_);
    other.responder = Uuid::random(this->rng_);
    other.resource = ResourceId::random(this->rng_);
    EXPECT_EQ(this->put(other), FlowLogged::kNew);

    EXPECT_EQ(this->all({.since = this->moment(4)}), (std::vector{this->entry(4), other}));
    EXPECT_EQ(this->all({.initiator = other.initiator}), std::vector{other});
    EXPECT_EQ(this->all({.responder = other.responder}), std::vector{other});
    EXPECT_EQ(this->all({.resource = other.resource}), std::vector{other});
    EXPECT_EQ(this->all({.initiator = other.initiator, .resource = this->resource_.id}).size(), 0U);
    EXPECT_EQ(this->all({.initiator = this->client_, .limit = 2}), (std::vector{this->entry(3), this->entry(4)}))
        << "the newest";
}

TYPED_TEST_P(StorageFlowLogsContract, DeletesWhatIsOldAndWhatIsTooMuch) {
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(this->put(this->entry(i), 100 + i), FlowLogged::kNew);
    }
    this->storage_->erase_flow_logs(this->at(102), 100, 1);
    EXPECT_EQ(this->all().size(), 5U) << "no more at once";
    this->storage_->erase_flow_logs(this->at(102), 100, 10);
    EXPECT_EQ(this->all().size(), 4U);
    EXPECT_EQ(this->all()[0], this->entry(2));
    this->storage_->erase_flow_logs(this->at(0), 3, 10);
    EXPECT_EQ(this->all().size(), 3U);
    EXPECT_EQ(this->all()[0], this->entry(3)) << "the oldest goes";
    this->storage_->erase_flow_logs(this->at(1000), 3, 10);
    EXPECT_TRUE(this->all().empty());
    this->storage_->erase_flow_logs(this->at(1000), 3, 10);
    EXPECT_EQ(this->put(this->entry(0)), FlowLogged::kNew);
}

TYPED_TEST_P(StorageFlowLogsContract, OutlivesWhatItIsAbout) {
    EXPECT_EQ(this->put(this->entry()), FlowLogged::kNew);
    this->storage_->erase(this->resource_.id);
    this->storage_->erase(this->actor_.id);
    this->storage_->erase(this->site_.id);
    EXPECT_EQ(this->all(), std::vector{this->entry()});
}

TYPED_TEST_P(StorageFlowLogsContract, IsPartOfATransaction) {
    EXPECT_THROW(this->storage_->in_transaction([&] {
        EXPECT_EQ(this->put(this->entry()), FlowLogged::kNew);
        throw std::runtime_error{"undo"};
    }),
                 std::runtime_error);
    EXPECT_TRUE(this->all().empty());
}

TYPED_TEST_P(StorageFlowLogsContract, HasOneKeyForGood) {
    const auto key = this->storage_->ingest_key(this->rng_);
    EXPECT_EQ(this->storage_->ingest_key(this->rng_), key);
    EXPECT_NE(key, portal_api::IngestKey{});
}

TYPED_TEST_P(StorageFlowLogsContract, KeepsItsSettings) {
    auto account = this->storage_->load_directory().account;
    EXPECT_EQ(account.flow_logging, FlowLogging{}) << "off at first";
    account.flow_logging = {.is_on = true,
                            .api_url = "https://portal.example.com",
                            .upload_interval = std::chrono::seconds{5},
                            .upload_batch_size = 6,
                            .retention = std::chrono::days{7},
                            .max_records = 8};
    this->storage_->put(account);
    this->policy_.logs_flows = false;
    this->storage_->put(this->policy_);
    EXPECT_EQ(this->storage_->load_directory().account, account);
    EXPECT_EQ(this->storage_->load_directory().policies.at(this->policy_.id), this->policy_);
}

TYPED_TEST_P(StorageFlowLogsContract, WithdrawsFlowsWhoseSwitchChanges) {
    auto account = this->storage_->load_directory().account;
    auto flow = this->add_flow();
    this->storage_->put(this->policy_);
    account.flow_logging.upload_batch_size = 17;
    this->storage_->put(account);
    EXPECT_TRUE(this->has_flow(flow)) << "nothing was switched";

    account.flow_logging.is_on = true;
    this->storage_->put(account);
    EXPECT_FALSE(this->has_flow(flow)) << "the account's";

    flow = this->add_flow();
    this->policy_.logs_flows = false;
    this->storage_->put(this->policy_);
    EXPECT_FALSE(this->has_flow(flow)) << "the policy's";

    flow = this->add_flow();
    account.flow_logging.is_on = false;
    this->storage_->put(account);
    EXPECT_TRUE(this->has_flow(flow)) << "it logged none anyway";
}

REGISTER_TYPED_TEST_SUITE_P(StorageFlowLogsContract, ReturnsFlowsAsTheyWereReported, AFlowIsClosedOnce, TellsFlowsApart,
                            FindsWhatIsAskedFor, DeletesWhatIsOldAndWhatIsTooMuch, OutlivesWhatItIsAbout,
                            IsPartOfATransaction, HasOneKeyForGood, KeepsItsSettings, WithdrawsFlowsWhoseSwitchChanges);

}  // namespace culvert::portal
