#include "culvert/portal/flow_ingestion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "culvert/portal/constants.h"
#include "culvert/portal/memory_storage.h"

namespace culvert::portal {
namespace {

using namespace std::chrono_literals;
using portal_api::FlowRole;
using testing::HasSubstr;

constexpr UnixSeconds kNow{1'787'400'000s};

class FlowIngestionTest : public testing::Test {
protected:
    FlowIngestionTest() {
        account.flow_logging.is_on = true;
        account.flow_logging.api_url = "https://portal.example.com";
    }

    [[nodiscard]] std::string token(const portal_api::IngestClaims& from) {
        return "Bearer " + sign_ingest_token(from, storage.ingest_key(rng));
    }
    [[nodiscard]] static std::string open_record(int port = 51514) {
        return R"({"protocol":"tcp","inner_src_ip":"100.71.20.9","inner_src_port":)" + std::to_string(port) +
               R"(,"inner_dst_ip":"100.96.0.3","inner_dst_port":443,"domain":"git.corp.example","outers":[],)"
               R"("flow_start":"2026-08-22T10:15:03.220Z"})";
    }
    [[nodiscard]] static std::string closed_record(int port = 51514) {
        return R"({"protocol":"tcp","inner_src_ip":"100.71.20.9","inner_src_port":)" + std::to_string(port) +
               R"(,"inner_dst_ip":"100.96.0.3","inner_dst_port":443,"domain":"git.corp.example",)"
               R"("outers":[{"dst_ip":"203.0.113.20","dst_port":61743,"path_activated_at":"2026-08-22T10:15:01Z"}],)"
               R"("flow_start":"2026-08-22T10:15:03.220Z","flow_end":"2026-08-22T10:17:04Z",)"
               R"("last_packet":"2026-08-22T10:15:04.9Z","rx_packets":3,"tx_packets":4,"rx_bytes":412,"tx_bytes":388})";
    }
    [[nodiscard]] static std::string batch(const std::vector<std::string>& records) {
        return portal_api::encode_flow_batch(records);
    }
    /// The whole way of a request, but for its rate.
    FlowIngestion::Answer post(const std::string& authorization, const std::string& body) {
        auto judged = ingestion.judge(authorization, body, account, now);
        if (auto* refusal = std::get_if<FlowIngestion::Answer>(&judged)) {
            return *refusal;
        }
        auto& accepted = std::get<FlowIngestion::Batch>(judged);
        while (true) {
            if (const auto answer = accepted.store_some(storage, now)) {
                return *answer;
            }
            ++turns;
        }
    }
    unsigned status(const std::string& authorization, const std::string& body) {
        const auto answer = post(authorization, body);
        if (answer.status != 200) {
            const auto problem = boost::json::parse(answer.body).as_object();
            EXPECT_EQ(problem.at("status").to_number<unsigned>(), answer.status);
            EXPECT_EQ(problem.at("type").as_string(), "about:blank");
            EXPECT_FALSE(problem.at("code").as_string().empty());
        }
        return answer.status;
    }
    std::vector<FlowLogEntry> stored() { return storage.find_flow_logs({.limit = 100'000}); }

    Rng rng = Rng::from_number(5);
    MemoryStorage storage{rng};
    Account account = storage.load_directory().account;
    FlowIngestion ingestion{storage, Rng::from_number(6)};
    UnixSeconds now = kNow;
    std::size_t turns = 0;
    portal_api::IngestClaims claims{.account = account.id,
                                    .issued_at = kNow - 1h,
                                    .expires_at = kNow + 1h,
                                    .uploads_enabled = true,
                                    .role = FlowRole::kResponder,
                                    .initiator_device = Uuid::random(rng),
                                    .responder_device = Uuid::random(rng),
                                    .policy_authorization = Uuid::random(rng),
                                    .policy = Uuid::random(rng),
                                    .resource = ResourceId::random(rng),
                                    .resource_name = "Git",
                                    .initiator_actor = Uuid::random(rng),
                                    .initiator_actor_name = "Kim Doe",
                                    .authorized_at = "2026-08-22T10:15:02Z",
                                    .authorization_expires_at = "2026-09-01T00:00:00Z",
                                    .initiator_actor_email = "kim@example.com"};
};

TEST_F(FlowIngestionTest, StoresAFlowThatBeginsAndEnds) {
    const auto answer = post(token(claims), batch({open_record()}));
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, R"({"data":{"status":"ok"}})");
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_FALSE(stored()[0].record.end);
    EXPECT_EQ(stored()[0].role, FlowRole::kResponder);
    EXPECT_EQ(stored()[0].initiator, claims.initiator_device);
    EXPECT_EQ(stored()[0].responder, claims.responder_device);
    EXPECT_EQ(stored()[0].authorization, claims.policy_authorization);
    EXPECT_EQ(stored()[0].policy.uuid(), claims.policy);
    EXPECT_EQ(stored()[0].resource, claims.resource);
    EXPECT_EQ(stored()[0].resource_name, "Git");
    EXPECT_EQ(stored()[0].actor.uuid(), claims.initiator_actor);
    EXPECT_EQ(stored()[0].actor_name, "Kim Doe");
    EXPECT_EQ(stored()[0].actor_email, "kim@example.com");

    EXPECT_EQ(status(token(claims), batch({closed_record()})), 200U);
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].record.end->tx_bytes, 388U);
    EXPECT_EQ(stored()[0].record.outers.size(), 1U);

    const auto before = stored();
    EXPECT_EQ(status(token(claims), batch({open_record(), closed_record()})), 200U) << "a replay is harmless";
    EXPECT_EQ(stored(), before);
}

TEST_F(FlowIngestionTest, WantsAnArrayOfSoManyRecords) {
    for (const auto* body : {"", "{", "[]", "null", "{}", R"({"flow_logs":null})", R"({"flow_logs":{}})",
                             R"({"flow_log":[]})", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"}) {
        EXPECT_EQ(status(token(claims), body), 400U) << body;
        EXPECT_EQ(status("Bearer nothing", body), 400U) << "that comes first";
    }
    EXPECT_EQ(status(token(claims), batch({})), 200U);
    EXPECT_EQ(status(token(claims), batch(std::vector<std::string>(10'001, "1"))), 400U);
    EXPECT_TRUE(stored().empty());
}

TEST_F(FlowIngestionTest, WantsATokenOfOursThatIsGood) {
    const auto body = batch({open_record()});
    for (const auto* authorization : {"", "Bearer ", "Bearer x.y.z", "Basic YTpi"}) {
        EXPECT_EQ(status(authorization, body), 401U) << authorization;
    }
    EXPECT_EQ(status(token(claims).substr(7), body), 401U) << "without its scheme";
    EXPECT_EQ(status("Bearer " + sign_ingest_token(claims, portal_api::IngestKey::random(rng)), body), 401U);
    auto other = claims;
    other.account = AccountId::random(rng);
    EXPECT_EQ(status(token(other), body), 401U);
    other = claims;
    other.uploads_enabled = false;
    EXPECT_EQ(status(token(other), body), 401U);
    now = claims.expires_at;
    EXPECT_EQ(status(token(claims), body), 401U);
    now = kNow;
    account.flow_logging.is_on = false;
    EXPECT_EQ(status(token(claims), body), 401U) << "switched off meanwhile";
    EXPECT_TRUE(stored().empty());
}

TEST_F(FlowIngestionTest, TakesNothingIfARecordIsOfAnotherAuthorization) {
    for (const auto* key : {"account_id", "role", "policy_authorization_id", "policy_id", "resource_id",
                            "initiator_device_id", "responder_device_id"}) {
        auto foreign = closed_record(1);
        foreign.insert(1, R"(")" + std::string{key} + R"(":"d4e9a0b7-5c13-4f28-9b6d-1a7e3c8f2065",)");
        const auto answer = post(token(claims), batch({open_record(), foreign}));
        EXPECT_EQ(answer.status, 422U) << key;
        EXPECT_EQ(answer.code, "foreign_authorization");
    }
    EXPECT_TRUE(stored().empty());
    auto own = closed_record();
    own.insert(1,
               R"("policy_authorization_id":")" + claims.policy_authorization.to_string() + R"(","role":"responder",)");
    EXPECT_EQ(status(token(claims), batch({own})), 200U);
}

TEST_F(FlowIngestionTest, StoresWhatIsValidAndNamesTheRest) {
    const auto answer = post(token(claims), batch({"{}", open_record(1), "7", closed_record(70'000)}));
    EXPECT_EQ(answer.status, 422U);
    const auto errors = boost::json::parse(answer.body).at("validation_errors").as_object();
    ASSERT_EQ(errors.size(), 3U);
    EXPECT_TRUE(errors.contains("0"));
    EXPECT_TRUE(errors.contains("2"));
    EXPECT_EQ(errors.at("3").at(0).as_string(), "inner_src_port: expected a port");
    EXPECT_EQ(stored().size(), 1U);

    const auto many = post(token(claims), batch(std::vector<std::string>(5000, "{}")));
    EXPECT_EQ(boost::json::parse(many.body).at("validation_errors").as_object().size(), kMaxValidationErrors);
    EXPECT_THAT(many.body, HasSubstr("5000 records are invalid"));
}

TEST_F(FlowIngestionTest, StoresALargeBatchInParts) {
    std::vector<std::string> records;
    for (int port = 1; port <= 1100; ++port) {
        records.push_back(closed_record(port));
    }
    EXPECT_EQ(status(token(claims), batch(records)), 200U);
    EXPECT_EQ(turns, 2U);
    EXPECT_EQ(stored().size(), 1100U);
}

TEST_F(FlowIngestionTest, TakesABatchASecondOfEachAddress) {
    const auto admit = [this](const char* from, Instant at) {
        return ingestion.admit(*net::IpAddress::parse(from), token(claims), account, at, now);
    };
    const Instant begin{100s};
    EXPECT_FALSE(admit("192.0.2.1", begin).verdict);
    const auto second = admit("192.0.2.1", begin + 999ms);
    ASSERT_TRUE(second.verdict);
    EXPECT_EQ(second.verdict->status, 429U);
    EXPECT_EQ(second.verdict->retry_after, 1s);
    EXPECT_FALSE(admit("192.0.2.2", begin).verdict);
    EXPECT_FALSE(admit("192.0.2.1", begin + 1s).verdict);

    EXPECT_FALSE(admit("2001:db8::1", begin).verdict);
    EXPECT_TRUE(admit("2001:db8::ffff", begin).verdict) << "one machine has many of these";
    EXPECT_FALSE(admit("2001:db8:0:1::1", begin).verdict);
}

TEST_F(FlowIngestionTest, RemembersOnlySoManyAddresses) {
    const Instant begin{100s};
    const auto admit = [&](std::uint32_t number, Instant at) {
        const net::IpAddress from{std::array<std::uint8_t, 4>{10, static_cast<std::uint8_t>(number >> 16U),
                                                              static_cast<std::uint8_t>(number >> 8U),
                                                              static_cast<std::uint8_t>(number)}};
        return !ingestion.admit(from, "", account, at, now).verdict.has_value();
    };
    for (std::uint32_t i = 0; i < kMaxIngestPlaces; ++i) {
        EXPECT_TRUE(admit(i, begin));
    }
    EXPECT_FALSE(admit(kMaxIngestPlaces, begin));
    EXPECT_TRUE(admit(kMaxIngestPlaces, begin + 1s));
}

TEST_F(FlowIngestionTest, ReadsLittleOfWhoShowsNoToken) {
    const auto admit = [this](const std::string& authorization) {
        return ingestion.admit(*net::IpAddress::parse("192.0.2.1"), authorization, account, {}, now);
    };
    EXPECT_EQ(admit(token(claims)).max_body, portal_api::kMaxFlowBody);
    EXPECT_EQ(admit(token(claims)).too_long.status, 413U) << "or the device would not halve its batch";
    EXPECT_EQ(admit("Bearer nothing").max_body, kMaxStrangersBody);
    EXPECT_EQ(admit("Bearer nothing").too_long.status, 401U);
}

TEST_F(FlowIngestionTest, ForgetsWhatIsOld) {
    EXPECT_EQ(status(token(claims), batch({open_record(1), open_record(2), open_record(3)})), 200U);
    account.flow_logging.max_records = 2;
    ingestion.reap(account, now);
    EXPECT_EQ(stored().size(), 2U);
    ingestion.reap(account, now + 30 * 24h);
    EXPECT_EQ(stored().size(), 2U);
    ingestion.reap(account, now + 30 * 24h + 1s);
    EXPECT_TRUE(stored().empty());
}

}  // namespace
}  // namespace culvert::portal
