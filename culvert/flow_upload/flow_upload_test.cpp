#include "culvert/flow_upload/flow_upload.h"

#include <chrono>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "culvert/flow_upload/records.h"
#include "culvert/flow_upload/spool.h"
#include "culvert/flow_upload/test_folder.h"
#include "culvert/http/server.h"
#include "culvert/io/clock.h"

namespace culvert::flow_upload {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
namespace http = culvert::http;

/// A portal that takes what it is given, with the status that it is told.
class FakePortal {
public:
    FakePortal() {
        auto listening =
            http::Server::listen(context_, {.listen = *net::SocketAddress::parse("127.0.0.1:0"), .max_body = 1 << 20},
                                 [this](const auto& exchange) { answer(exchange); });
        server_ = std::move(*listening);
        address_ = server_->address();
        thread_ = std::thread{[this] { context_.run(); }};
    }
    ~FakePortal() {
        context_.stop();
        thread_.join();
    }
    FakePortal(const FakePortal&) = delete;
    FakePortal& operator=(const FakePortal&) = delete;

    [[nodiscard]] std::string url() const { return "http://" + address_.to_string(); }
    void set_status(unsigned status) {
        const std::lock_guard lock{mutex_};
        status_ = status;
    }
    struct Request {
        std::string target;
        std::string authorization;
        std::string content_type;
        std::string body;
    };
    [[nodiscard]] std::vector<Request> requests() const {
        const std::lock_guard lock{mutex_};
        return requests_;
    }

private:
    void answer(const std::shared_ptr<http::Exchange>& exchange) {
        const auto& message = exchange->message();
        const std::lock_guard lock{mutex_};
        requests_.push_back({std::string{message.target()}, std::string{message["Authorization"]},
                             std::string{message["Content-Type"]}, message.body()});
        exchange->respond({.status = status_, .body = "{}"});
    }

    boost::asio::io_context context_{1};
    std::unique_ptr<http::Server> server_;
    net::SocketAddress address_;
    mutable std::mutex mutex_;
    std::vector<Request> requests_;
    unsigned status_ = 200;
    std::thread thread_;
};

class FlowUploadTest : public testing::Test {
protected:
    FlowUploadTest() { std::signal(SIGPIPE, SIG_IGN); }

    FlowUpload::Options options() const {
        return {.folder = folder.path() / "flow-logs", .mark = {}, .allows_plain_text = true};
    }
    portal_api::FlowLogSettings settings() const {
        return {.api_url = portal.url() + "/base", .upload_interval_secs = 1};
    }

    static tunnel::TrackedFlow flow(std::uint8_t authorization, std::uint16_t port, bool is_over = true) {
        const UnixSeconds expiry{4'000'000'000s};
        tunnel::TrackedFlow flow;
        flow.authorization = std::make_shared<const tunnel::FlowAuthorization>(tunnel::FlowAuthorization{
            test::uuid(authorization), portal_api::FlowRole::kInitiator, expiry, test::token(authorization, expiry)});
        flow.source = {*net::IpAddress::parse("100.64.0.1"), port};
        flow.destination = *net::SocketAddress::parse("10.0.0.1:80");
        flow.domain = "wiki.example";
        flow.paths = {{{}, *net::SocketAddress::parse("203.0.113.20:61743"), io::monotonic_now()}};
        flow.started_at = io::monotonic_now();
        if (is_over) {
            flow.end = tunnel::TrackedFlow::End{.ended_at = flow.started_at + 1s,
                                                .last_packet = flow.started_at + 1s,
                                                .rx_packets = 1,
                                                .tx_packets = 2,
                                                .rx_bytes = 3,
                                                .tx_bytes = 4};
        }
        return flow;
    }
    static void add(FlowUpload& upload, tunnel::TrackedFlow flow) {
        upload.add({{std::move(flow)}, 0}, io::monotonic_now(), io::wall_now());
    }
    /// Whether it comes true within a time in which it must.
    static bool comes_true(const std::function<bool()>& condition) {
        for (const auto end = io::monotonic_now() + 20s; io::monotonic_now() < end;) {
            if (condition()) {
                return true;
            }
            std::this_thread::sleep_for(20ms);
        }
        return false;
    }

    test::Folder folder;
    FakePortal portal;
};

TEST_F(FlowUploadTest, UploadsWhatIsAdded) {
    FlowUpload upload{options()};
    upload.configure(settings());
    add(upload, flow(1, 5000));
    ASSERT_TRUE(comes_true([&] { return !portal.requests().empty(); }));

    const auto request = portal.requests()[0];
    EXPECT_EQ(request.target, "/ingestion/flow_logs") << "the base path is lost";
    EXPECT_EQ(request.authorization, "Bearer " + test::token(1, UnixSeconds{4'000'000'000s}));
    EXPECT_EQ(request.content_type, "application/json");
    EXPECT_THAT(request.body,
                HasSubstr(R"({"flow_logs":[{"protocol":"tcp","inner_src_ip":"100.64.0.1","inner_src_port":5000)"));
    EXPECT_THAT(request.body, HasSubstr(R"("domain":"wiki.example")"));
    EXPECT_TRUE(comes_true([&] { return std::filesystem::is_empty(folder.path() / "flow-logs" / "initiator"); }));
}

TEST_F(FlowUploadTest, GoesOnAfterARestart) {
    portal.set_status(401);
    {
        FlowUpload upload{options()};
        upload.configure(settings());
        add(upload, flow(1, 5000));
        ASSERT_TRUE(comes_true([&] { return !portal.requests().empty(); }));
        add(upload, flow(1, 5001));
        add(upload, flow(2, 5002));
    }
    portal.set_status(200);
    const auto before = portal.requests().size();
    const FlowUpload again{options()};  // before the portal has said anything
    ASSERT_TRUE(comes_true([&] { return portal.requests().size() >= before + 2; }));
    const auto requests = portal.requests();
    EXPECT_THAT(requests[before].body, HasSubstr("5000"));
    EXPECT_THAT(requests[before].body, HasSubstr("5001"));
    EXPECT_THAT(requests[before + 1].body, HasSubstr("5002"));
    EXPECT_TRUE(comes_true([&] { return std::filesystem::is_empty(folder.path() / "flow-logs" / "initiator"); }));
}

TEST_F(FlowUploadTest, RecordsNothingThatThePortalDoesNotWant) {
    {
        FlowUpload upload{options()};
        add(upload, flow(1, 5000));
        upload.configure(std::nullopt);
        add(upload, flow(1, 5001));
        auto off = settings();
        off.upload_interval_secs = 0;
        upload.configure(off);
        add(upload, flow(1, 5002));
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "flow-logs" / "initiator"));
    EXPECT_TRUE(portal.requests().empty());
}

TEST_F(FlowUploadTest, KeepsRecordsIfThereIsNoTls) {
    {
        auto strict = options();
        strict.allows_plain_text = false;
        FlowUpload upload{strict};
        upload.configure(settings());
        add(upload, flow(1, 5000));
        std::this_thread::sleep_for(300ms);
    }
    EXPECT_TRUE(portal.requests().empty());
    EXPECT_FALSE(std::filesystem::is_empty(folder.path() / "flow-logs" / "initiator"));
}

TEST_F(FlowUploadTest, EndsAtOnceWhateverThePortalDoes) {
    auto upload = std::make_unique<FlowUpload>(options());
    auto nowhere = settings();
    nowhere.api_url = "http://192.0.2.1:9";  // answers nobody
    upload->configure(nowhere);
    add(*upload, flow(1, 5000));
    std::this_thread::sleep_for(300ms);
    add(*upload, flow(2, 5001));
    const auto before = io::monotonic_now();
    upload.reset();
    EXPECT_LT(io::monotonic_now() - before, 2s);
    auto spool = Spool::open(folder.path() / "flow-logs", {}, UnixSeconds{});
    ASSERT_TRUE(spool);
    EXPECT_EQ(spool->records(), 2U) << "all is written down";
}

TEST(FlowRecords, OpenAndCloseAreOfOneFlow) {
    ClockHistory clock;
    clock.note(Instant{100s}, WallTime{1'787'393'702s});
    tunnel::TrackedFlow flow;
    flow.protocol = portal_api::FlowProtocol::kUdp;
    flow.source = *net::SocketAddress::parse("100.64.0.1:5000");
    flow.destination = *net::SocketAddress::parse("10.0.0.1:53");
    flow.started_at = Instant{101s + 1234567ns};
    flow.paths = {{*net::SocketAddress::parse("10.99.0.2:52625"), *net::SocketAddress::parse("203.0.113.20:61743"),
                   Instant{99s}}};
    const auto open = to_record(flow, clock);
    clock.note(Instant{200s}, WallTime{1'787'400'000s});
    flow.end = tunnel::TrackedFlow::End{.ended_at = Instant{201s},
                                        .last_packet = Instant{150s},
                                        .rx_packets = 1,
                                        .tx_packets = 2,
                                        .rx_bytes = 3,
                                        .tx_bytes = 4};
    const auto closed = to_record(flow, clock);

    EXPECT_EQ(open.started_at, WallMicroseconds{1'787'393'703s + 1ms});
    EXPECT_EQ(closed.started_at, open.started_at) << "though the clock was set";
    EXPECT_FALSE(open.domain);
    EXPECT_FALSE(open.end);
    EXPECT_EQ(open.outers[0].activated_at, WallMicroseconds{1'787'393'701s});
    ASSERT_TRUE(closed.end);
    EXPECT_EQ(closed.end->last_packet, WallMicroseconds{1'787'393'752s});
    EXPECT_EQ(closed.end->ended_at, WallMicroseconds{1'787'400'001s});
    EXPECT_EQ(closed.end->rx_packets, 1U);
    EXPECT_EQ(closed.end->tx_packets, 2U);
    EXPECT_EQ(closed.end->rx_bytes, 3U);
    EXPECT_EQ(closed.end->tx_bytes, 4U);
}

}  // namespace
}  // namespace culvert::flow_upload
