#include "culvert/portal_link/tcp_race.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <list>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace culvert::portal_link {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;
using ::testing::AllOf;
using ::testing::HasSubstr;

class TcpRaceTest : public ::testing::Test {
protected:
    using Result = std::expected<tcp::socket, std::string>;

    static error_code open(tcp::socket& socket, const tcp::endpoint& endpoint) {
        error_code error;
        socket.open(endpoint.protocol(), error);
        return error;
    }

    std::shared_ptr<TcpRace> start(std::vector<tcp::endpoint> endpoints, std::chrono::milliseconds limit = 20s) {
        auto race = std::make_shared<TcpRace>(context_.get_executor(), std::move(endpoints), open);
        run(race, limit);
        return race;
    }

    void run(const std::shared_ptr<TcpRace>& race, std::chrono::milliseconds limit) {
        asio::co_spawn(
            context_,
            [this, race, limit]() -> asio::awaitable<void> {
                result_.emplace(co_await race->run(std::chrono::steady_clock::now() + limit));
            },
            asio::detached);
    }

    Result finish() {
        context_.restart();
        while (!result_ && context_.run_one() > 0) {
        }
        return std::move(result_.value());
    }

    /// Answers; nothing listens there once it is gone.
    tcp::acceptor listener() { return tcp::acceptor{context_, {asio::ip::make_address("127.0.0.1"), 0}}; }

    /// Where nobody answers, and nobody refuses: a socket whose queue of connections is full.
    tcp::endpoint silent() {
        auto& full = full_.emplace_back(context_, tcp::v4());
        full.bind({asio::ip::make_address("127.0.0.1"), 0});
        full.listen(0);
        for (int i = 0; i < 4; ++i) {
            auto& filler = fillers_.emplace_back(context_, tcp::v4());
            filler.native_non_blocking(true);
            const auto address = full.local_endpoint();
            static_cast<void>(
                ::connect(filler.native_handle(), address.data(), static_cast<socklen_t>(address.size())));
        }
        return full.local_endpoint();
    }

    asio::io_context context_{1};
    std::optional<Result> result_;
    std::list<tcp::acceptor> full_;
    std::list<tcp::socket> fillers_;
};

TEST_F(TcpRaceTest, ConnectsToTheFirstThatAnswers) {
    auto first = listener();
    auto second = listener();
    start({first.local_endpoint(), second.local_endpoint()});
    EXPECT_EQ(finish()->remote_endpoint(), first.local_endpoint());
}

TEST_F(TcpRaceTest, GoesOnAtOnceFromOneThatRefuses) {
    const auto closed = listener().local_endpoint();
    auto open = listener();
    start({closed, closed, open.local_endpoint()});
    EXPECT_EQ(finish()->remote_endpoint(), open.local_endpoint());
}

TEST_F(TcpRaceTest, DoesNotWaitForOneThatSaysNothing) {
    auto open = listener();
    start({silent(), open.local_endpoint()});
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(finish()->remote_endpoint(), open.local_endpoint());
    EXPECT_GE(std::chrono::steady_clock::now() - before, 250ms) << "it deserved its chance";
}

TEST_F(TcpRaceTest, SkipsAFamilyThatThisHostDoesNotHave) {
    auto open = listener();
    auto race = std::make_shared<TcpRace>(
        context_.get_executor(),
        std::vector{tcp::endpoint{asio::ip::make_address("2001:db8::1"), 1}, open.local_endpoint()},
        [](tcp::socket& socket, const tcp::endpoint& endpoint) {
            return endpoint.address().is_v6() ? error_code{asio::error::address_family_not_supported}
                                              : TcpRaceTest::open(socket, endpoint);
        });
    run(race, 20s);
    EXPECT_EQ(finish()->remote_endpoint(), open.local_endpoint());
}

TEST_F(TcpRaceTest, SaysOfEachAddressWhatWasWrong) {
    const auto closed = listener().local_endpoint();
    const auto silent = this->silent();
    start({silent, closed}, 400ms);
    const auto port = [](const tcp::endpoint& endpoint) { return std::to_string(endpoint.port()); };
    EXPECT_THAT(finish().error(),
                AllOf(HasSubstr("TCP connection to 127.0.0.1:" + port(silent) + " failed: Connection timed out"),
                      HasSubstr("; to 127.0.0.1:" + port(closed) + ": Connection refused")));
}

TEST_F(TcpRaceTest, EndsWhenItIsCancelled) {
    const auto race = start({silent()});
    context_.run_for(10ms);
    race->cancel();
    EXPECT_FALSE(finish());
}

}  // namespace
}  // namespace culvert::portal_link
