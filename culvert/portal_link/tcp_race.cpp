#include "culvert/portal_link/tcp_race.h"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "culvert/portal_channel/constants.h"

namespace culvert::portal_link {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::steady_clock;

/// "203.0.113.10:8081", "[2001:db8::10]:8081"
std::string text_of(const asio::ip::tcp::endpoint& endpoint) {
    const auto address = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

}  // namespace

TcpRace::TcpRace(const asio::any_io_executor& executor, std::vector<Endpoint> endpoints, Opener open)
    : endpoints_{std::move(endpoints)}, open_{std::move(open)}, wake_{executor} {}

asio::awaitable<std::expected<TcpRace::Socket, std::string>> TcpRace::run(steady_clock::time_point deadline) {
    const auto self = shared_from_this();
    while (winner_ == nullptr && !is_cancelled_ && !is_lost() && steady_clock::now() < deadline) {
        if (started_ < endpoints_.size() && steady_clock::now() >= next_start_) {
            start_next();
            continue;
        }
        wake_.expires_at(started_ < endpoints_.size() ? std::min(next_start_, deadline) : deadline);
        co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    std::expected<Socket, std::string> result = std::unexpected{std::string{}};
    if (winner_ != nullptr && !is_cancelled_) {
        result = std::move(winner_->socket);
    } else {
        result = std::unexpected{what_went_wrong()};
    }
    for (auto& attempt : attempts_) {
        error_code ignored;
        attempt.socket.close(ignored);
    }
    co_return result;
}

void TcpRace::cancel() {
    is_cancelled_ = true;
    wake_.cancel();
}

void TcpRace::start_next() {
    const auto endpoint = endpoints_[started_++];
    auto& attempt = attempts_.emplace_back(Attempt{.socket = Socket{wake_.get_executor()}, .endpoint = endpoint});
    if (const auto error = open_(attempt.socket, endpoint)) {
        attempt.error = error;
        attempt.is_over = true;
        return;
    }
    next_start_ = steady_clock::now() + portal_channel::kConnectionAttemptDelay;
    attempt.socket.async_connect(
        endpoint, [self = shared_from_this(), &attempt](const error_code& error) { self->handle_end(attempt, error); });
}

void TcpRace::handle_end(Attempt& attempt, const error_code& error) {
    attempt.error = error;
    attempt.is_over = true;
    if (!error && winner_ == nullptr) {
        winner_ = &attempt;
    }
    next_start_ = {};  // nobody waits for one that has failed
    wake_.cancel();
}

bool TcpRace::is_lost() const {
    return started_ == endpoints_.size() && std::ranges::all_of(attempts_, &Attempt::is_over);
}

/// "TCP connection to 203.0.113.10:8081 failed: Connection refused; to [2001:db8::10]:8081: Connection timed out"
std::string TcpRace::what_went_wrong() const {
    std::string text = "TCP connection";
    bool is_first = true;
    for (const auto& attempt : attempts_) {
        const auto error = attempt.is_over ? attempt.error : error_code{asio::error::timed_out};
        text += is_first ? " to " : "; to ";
        text += text_of(attempt.endpoint);
        text += std::exchange(is_first, false) ? " failed: " : ": ";
        text += error.message();
    }
    return text;
}

}  // namespace culvert::portal_link
