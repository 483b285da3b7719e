#include "apps/portal/device_connection.h"

#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace culvert::portal_server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using portal::SessionId;

/// One connection over a real socket, and the other end of it.
class DeviceConnectionTest : public testing::Test {
protected:
    DeviceConnectionTest() {
        asio::ip::tcp::acceptor acceptor{context_, {asio::ip::address_v4::loopback(), 0}};
        device_.connect(acceptor.local_endpoint());
        connection_ = std::make_shared<DeviceConnection>(
            DeviceConnection::Stream{acceptor.accept()}, SessionId{1}, std::chrono::seconds{60},
            DeviceConnection::Handlers{.on_frame =
                                           [this](SessionId, std::string_view frame) {
                                               received_ += frame;
                                               return Duration{};
                                           },
                                       .on_congestion = [](SessionId, bool) {},
                                       .on_unread = [this](SessionId, std::size_t bytes) { unread_ = bytes; },
                                       .on_end = [this](SessionId) { has_ended_ = true; }});
    }

    void accept() {
        const std::string text =
            "GET / HTTP/1.1\r\nHost: portal\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        beast::http::request_parser<beast::http::string_body> parser;
        beast::error_code error;
        parser.put(asio::buffer(text), error);
        ASSERT_FALSE(error) << error.message();
        connection_->accept(parser.release());
    }
    /// Lets the connection do what it can do now.
    void run() {
        context_.restart();
        while (context_.run_for(std::chrono::milliseconds{20}) > 0) {
            context_.restart();
        }
    }
    /// What has arrived at the device behind the answer to its upgrade.
    std::string arrived() {
        std::string bytes(device_.available(), '\0');
        asio::read(device_, asio::buffer(bytes));
        const auto end = bytes.find("\r\n\r\n");
        return bytes.starts_with("HTTP/1.1 101 ") && end != std::string::npos ? bytes.substr(end + 4) : bytes;
    }

    asio::io_context context_;
    asio::ip::tcp::socket device_{context_};
    std::shared_ptr<DeviceConnection> connection_;
    std::string received_;
    std::size_t unread_ = 0;
    bool has_ended_ = false;
};

const std::string kGoingAway = {'\x88', '\x02', '\x03', '\xe9'};

TEST_F(DeviceConnectionTest, ThatIsClosedWhileItsUpgradeIsOnItsWayIsClosed) {
    accept();
    connection_->close(websocket::close_code::going_away);
    run();

    EXPECT_EQ(arrived(), kGoingAway);
    device_.close();
    run();
    EXPECT_TRUE(has_ended_);
}

TEST_F(DeviceConnectionTest, SendsWhatWasSaidWhileItsUpgradeWasOnItsWay) {
    accept();
    connection_->send("hello");
    connection_->close(websocket::close_code::going_away);
    run();

    EXPECT_EQ(arrived(), "\x81\x05hello" + kGoingAway);
}

TEST_F(DeviceConnectionTest, PassesOnFramesFromBothSides) {
    accept();
    asio::write(device_, asio::buffer(std::string{"\x81\x82\0\0\0\0hi", 8}));
    run();
    connection_->send("hello");
    run();

    EXPECT_EQ(received_, "hi");
    EXPECT_EQ(arrived(), "\x81\x05hello");
    EXPECT_EQ(unread_, 0U);
    EXPECT_FALSE(has_ended_);
}

TEST_F(DeviceConnectionTest, CountsALongFrameUntilItIsCompleteAndKeepsNoneOfIt) {
    accept();
    constexpr std::size_t kHalf = 50'000;
    const std::string half(kHalf, 'x');
    const auto head = [](char opcode) { return opcode + std::string{"\xfe\xc3\x50\0\0\0\0", 7}; };  // 50,000 bytes
    asio::write(device_, asio::buffer(head('\x01') + half));
    run();
    EXPECT_TRUE(received_.empty());
    EXPECT_GE(unread_, kHalf);

    asio::write(device_, asio::buffer(head('\x80') + half));
    run();
    EXPECT_EQ(received_, half + half);
    EXPECT_EQ(unread_, 0U);

    asio::write(device_, asio::buffer(std::string{"\x81\x82\0\0\0\0hi", 8}));
    run();
    EXPECT_EQ(received_, half + half + "hi");
    EXPECT_EQ(unread_, 0U);
}

TEST_F(DeviceConnectionTest, ThatIsCutOffGivesBackWhatWasToBeSent) {
    accept();
    run();
    for (int i = 0; i < 15; ++i) {
        connection_->send(std::string(std::size_t{1} << 20U, 'x'));
    }
    run();
    EXPECT_GT(unread_, std::size_t{4} << 20U) << "the device does not read";
    EXPECT_FALSE(has_ended_);

    connection_->cut_off();
    run();
    EXPECT_TRUE(has_ended_);
    connection_->send("more");
    run();
    std::string rest(std::size_t{32} << 20U, '\0');
    beast::error_code error;
    asio::read(device_, asio::buffer(rest), error);
    EXPECT_EQ(error, asio::error::connection_reset) << "the kernel keeps nothing either";
}

}  // namespace
}  // namespace culvert::portal_server
