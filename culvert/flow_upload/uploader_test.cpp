#include "culvert/flow_upload/uploader.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/flow_upload/test_folder.h"
#include "culvert/observability/log_capture.h"

namespace culvert::flow_upload {
namespace {

using namespace std::chrono_literals;
using portal_api::FlowRole;
using testing::ElementsAre;
using testing::IsEmpty;
using Outcome = Uploader::Outcome;

constexpr UnixSeconds kNow{1'787'393'702s};
constexpr UnixSeconds kExpiry = kNow + 1h;

/// A server that answers as it is told, 200 in the end.
class FakeTransport final : public Transport {
public:
    std::optional<Answer> post(const Destination& to, const std::string& token, const std::string& body) override {
        requests.push_back({to.url, token, body});
        if (ends_at_request == requests.size()) {
            return std::nullopt;
        }
        if (answers.empty()) {
            return otherwise;
        }
        const auto answer = answers.front();
        answers.pop_front();
        return answer;
    }
    bool pause(Duration duration) override {
        pauses.push_back(duration);
        return !ends_in_pause;
    }

    struct Request {
        std::string url;
        std::string token;
        std::string body;
    };
    std::vector<Request> requests;
    std::vector<Duration> pauses;
    std::deque<Answer> answers;
    Answer otherwise{.status = 200};
    std::size_t ends_at_request = 0;
    bool ends_in_pause = false;
};

class UploaderTest : public testing::Test {
protected:
    static Spool::Key key(std::uint8_t authorization) { return {FlowRole::kInitiator, test::uuid(authorization)}; }
    void add(std::uint8_t authorization, const std::vector<std::string>& records) {
        ASSERT_EQ(spool.add(key(authorization), test::token(authorization, kExpiry), kExpiry, records), 0U);
    }
    Outcome pass(std::size_t batch_size = 1000) { return uploader.pass(destination, batch_size); }
    /// Records of the request with that number, as they travelled.
    std::string records(std::size_t number) const {
        const std::string_view body{transport.requests.at(number).body};
        EXPECT_TRUE(body.starts_with(R"({"flow_logs":[)"));
        EXPECT_TRUE(body.ends_with("]}"));
        return std::string{body.substr(14, body.size() - 16)};
    }

    test::Folder folder;
    Spool spool = *Spool::open(folder.path() / "spool", {}, kNow);
    FakeTransport transport;
    Uploader uploader{spool, transport};
    Destination destination{"https://logs.example:443/ingestion/flow_logs", "logs.example", 443};
};

TEST_F(UploaderTest, SendsABatchOfEachAuthorization) {
    add(1, {"1", "2"});
    add(2, {"3"});
    EXPECT_EQ(pass(), Outcome::kDone);

    ASSERT_EQ(transport.requests.size(), 2U);
    EXPECT_EQ(transport.requests[0].url, destination.url);
    EXPECT_EQ(transport.requests[0].token, test::token(1, kExpiry));
    EXPECT_EQ(records(0), "1,2");
    EXPECT_EQ(transport.requests[1].token, test::token(2, kExpiry));
    EXPECT_EQ(records(1), "3");
    EXPECT_THAT(spool.waiting(), IsEmpty());
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_EQ(transport.requests.size(), 2U) << "there is nothing left";
}

TEST_F(UploaderTest, DoesNotGoOnTryingAServerThatIsNotTrusted) {
    add(1, {"1"});
    add(2, {"2"});
    transport.otherwise = {.error = "certificate", .is_untrusted = true};
    unsigned said = 0;
    const log::CaptureScope capture{log::Level::kWarn, [&](auto&&...) { ++said; }};

    EXPECT_EQ(pass(), Outcome::kGaveUp);
    EXPECT_EQ(pass(), Outcome::kGaveUp);
    EXPECT_EQ(transport.requests.size(), 2U) << "one for each pass";
    EXPECT_THAT(transport.pauses, IsEmpty());
    EXPECT_EQ(spool.records(), 2U);
    EXPECT_EQ(said, 1U);

    transport.otherwise = {.status = 200};
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_EQ(spool.records(), 0U);
    add(1, {"3"});
    transport.otherwise = {.error = "certificate", .is_untrusted = true};
    EXPECT_EQ(pass(), Outcome::kGaveUp);
    EXPECT_EQ(said, 2U) << "it was trusted in between";
}

TEST_F(UploaderTest, AnyStatusOfSuccessWillDo) {
    add(1, {"1"});
    transport.answers = {{.status = 204}};
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_THAT(spool.waiting(), IsEmpty());
}

TEST_F(UploaderTest, SaysWhenThereIsMore) {
    for (const auto* record : {"1", "2", "3"}) {
        add(1, {record});
    }
    add(2, {"4"});
    EXPECT_EQ(pass(2), Outcome::kHasMore);
    EXPECT_EQ(records(0), "1,2");
    EXPECT_EQ(records(1), "4");
    EXPECT_EQ(pass(2), Outcome::kDone);
    EXPECT_EQ(records(2), "3");
}

TEST_F(UploaderTest, SendsNoMoreThanABatchAtOnce) {
    add(1, {"1", "2", "3"});
    EXPECT_EQ(pass(2), Outcome::kDone);
    EXPECT_EQ(records(0), "1,2");
    EXPECT_EQ(records(1), "3");
    EXPECT_THAT(spool.waiting(), IsEmpty());
}

TEST_F(UploaderTest, KeepsWhatIsRefusedForTheNextPass) {
    for (const unsigned status : {400U, 401U, 403U, 404U, 422U, 303U, 100U}) {
        add(1, {"1"});
        add(2, {"2"});
        const auto before = transport.requests.size();
        transport.answers = {{.status = status}};
        EXPECT_EQ(pass(), Outcome::kDone);
        EXPECT_EQ(transport.requests.size(), before + 2) << status << ": the others are tried";
        EXPECT_THAT(spool.waiting(), ElementsAre(key(1))) << status;
        EXPECT_EQ(pass(), Outcome::kDone);
        EXPECT_THAT(spool.waiting(), IsEmpty()) << status;
    }
    EXPECT_THAT(transport.pauses, IsEmpty());
}

TEST_F(UploaderTest, WhatIsRefusedDoesNotBlockTheRest) {
    add(1, {"1"});
    add(1, {"2"});
    transport.answers = {{.status = 422}, {.status = 200}, {.status = 422}};
    EXPECT_EQ(pass(1), Outcome::kDone);
    EXPECT_EQ(pass(1), Outcome::kHasMore);
    EXPECT_EQ(records(1), "2");
    EXPECT_EQ(pass(1), Outcome::kDone);
    EXPECT_EQ(records(2), "1");
    EXPECT_EQ(spool.records(), 1U);
}

TEST_F(UploaderTest, HalvesWhatIsTooLarge) {
    add(1, {"1", "2", "3"});
    transport.answers = {{.status = 413}, {.status = 200}, {.status = 413}, {.status = 200}, {.status = 200}};
    EXPECT_EQ(pass(), Outcome::kDone);
    ASSERT_EQ(transport.requests.size(), 5U);
    EXPECT_EQ(records(1), "1");
    EXPECT_EQ(records(2), "2,3");
    EXPECT_EQ(records(3), "2");
    EXPECT_EQ(records(4), "3");
    EXPECT_THAT(spool.waiting(), IsEmpty());

    add(1, {"4"});
    transport.answers = {{.status = 413}};
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_EQ(spool.records(), 1U) << "one record cannot be halved";
}

TEST_F(UploaderTest, KeepsTheWholeBatchIfOneHalfFails) {
    add(1, {"1", "2"});
    transport.answers = {{.status = 413}, {.status = 200}, {.status = 401}};
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_EQ(spool.records(), 2U) << "what arrives twice does no harm";
}

TEST_F(UploaderTest, WaitsAsLongAsItIsTold) {
    add(1, {"1"});
    transport.answers = {{.status = 429, .retry_after = 7s}, {.status = 429}, {.status = 429, .retry_after = 48h}};
    for (int i = 0; i < 100; ++i) {
        transport.answers.push_back({.status = 429});
    }
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_EQ(transport.pauses.size(), 103U) << "which is not counted";
    EXPECT_EQ(transport.pauses[0], Duration{7s});
    EXPECT_EQ(transport.pauses[1], Duration{1s});
    EXPECT_EQ(transport.pauses[2], Duration{1h}) << "within reason";
    EXPECT_THAT(spool.waiting(), IsEmpty());
}

TEST_F(UploaderTest, TriesAgainMoreAndMoreSeldomForFiveMinutes) {
    for (const unsigned status : {0U, 408U, 500U, 503U}) {
        transport.pauses.clear();
        add(1, {"1"});
        transport.otherwise = {.status = status};
        EXPECT_EQ(pass(), Outcome::kGaveUp) << status;
        Duration sum{};
        for (std::size_t i = 0; i < transport.pauses.size(); ++i) {
            EXPECT_EQ(transport.pauses[i], Duration{1s} * (1 << i)) << status;
            sum += transport.pauses[i];
        }
        EXPECT_EQ(sum, 255s) << status;
        EXPECT_EQ(spool.records(), 1U) << status;
        transport.otherwise = {.status = 200};
        EXPECT_EQ(pass(), Outcome::kDone) << status;
        EXPECT_THAT(spool.waiting(), IsEmpty()) << status;
    }
}

TEST_F(UploaderTest, DoesNotWaitForEachAuthorizationWhileThePortalIsAway) {
    add(1, {"1"});
    add(2, {"2"});
    transport.otherwise = {.status = 502};
    EXPECT_EQ(pass(), Outcome::kGaveUp);
    for (const auto& request : transport.requests) {
        EXPECT_EQ(request.token, test::token(1, kExpiry));
    }
}

TEST_F(UploaderTest, FollowsRedirectsForTheRestOfThePass) {
    add(1, {"1"});
    add(2, {"2"});
    for (const unsigned status : {301U, 302U, 307U, 308U}) {
        transport.answers.push_back(
            {.status = status, .location = "https://r" + std::to_string(status) + ".example/x"});
    }
    EXPECT_EQ(pass(), Outcome::kDone);
    ASSERT_EQ(transport.requests.size(), 6U);
    EXPECT_EQ(transport.requests[1].url, "https://r301.example:443/x");
    EXPECT_EQ(transport.requests[4].url, "https://r308.example:443/x");
    EXPECT_EQ(transport.requests[4].body, transport.requests[0].body);
    EXPECT_EQ(transport.requests[5].url, "https://r308.example:443/x");
    EXPECT_THAT(spool.waiting(), IsEmpty());

    add(1, {"3"});
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_EQ(transport.requests.back().url, destination.url) << "the next pass begins where it was told to";
}

TEST_F(UploaderTest, FollowsNoMoreThanFiveRedirectsAndNoneToAnOddPlace) {
    add(1, {"1"});
    transport.otherwise = {.status = 307, .location = "https://loop.example/"};
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_EQ(transport.requests.size(), 6U);
    EXPECT_EQ(spool.records(), 1U);

    transport.requests.clear();
    transport.otherwise = {.status = 307, .location = "http://plain.example/"};
    EXPECT_EQ(pass(), Outcome::kDone);
    EXPECT_EQ(transport.requests.size(), 1U);
    EXPECT_EQ(spool.records(), 1U);
}

TEST_F(UploaderTest, EndsWithTheProgram) {
    add(1, {"1"});
    add(2, {"2"});
    transport.ends_at_request = 1;
    EXPECT_EQ(pass(), Outcome::kEnding);
    transport.answers = {{.status = 500}};
    transport.ends_in_pause = true;
    EXPECT_EQ(pass(), Outcome::kEnding);
    EXPECT_EQ(spool.records(), 2U);
    EXPECT_EQ(transport.requests.size(), 2U);
}

}  // namespace
}  // namespace culvert::flow_upload
