#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

/// Private to portal_link: include it in .cpp files only.
namespace culvert::portal_link {

/// Connects to whichever of several addresses answers first. Attempts start one after the other, in order, and go on
/// side by side: the next one starts when the last has failed or has taken portal_channel::kConnectionAttemptDelay.
/// Source: RFC 8305 section 5. Everything happens on one thread.
class TcpRace : public std::enable_shared_from_this<TcpRace> {
public:
    using Endpoint = boost::asio::ip::tcp::endpoint;
    using Socket = boost::asio::ip::tcp::socket;
    /// Opens a socket for that address.
    using Opener = std::function<boost::system::error_code(Socket&, const Endpoint&)>;

    TcpRace(const boost::asio::any_io_executor& executor, std::vector<Endpoint> endpoints, Opener open);

    /// Once. The error says of each address what was wrong with it.
    [[nodiscard]] boost::asio::awaitable<std::expected<Socket, std::string>> run(
        std::chrono::steady_clock::time_point deadline);

    /// Ends run() without a winner.
    void cancel();

private:
    struct Attempt {
        Socket socket;
        Endpoint endpoint;
        boost::system::error_code error{};
        bool is_over = false;
    };

    void start_next();
    void handle_end(Attempt& attempt, const boost::system::error_code& error);
    [[nodiscard]] bool is_lost() const;
    [[nodiscard]] std::string what_went_wrong() const;

    std::vector<Endpoint> endpoints_;
    Opener open_;
    boost::asio::steady_timer wake_;
    std::size_t started_ = 0;
    std::chrono::steady_clock::time_point next_start_{};
    std::list<Attempt> attempts_;
    Attempt* winner_ = nullptr;
    bool is_cancelled_ = false;
};

}  // namespace culvert::portal_link
