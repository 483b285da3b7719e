#pragma once

#include <chrono>
#include <csignal>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "culvert/resolver/query_observer.h"

/// For tests of what waits for sockets.
namespace culvert::resolver::test {

/// Far longer than anything here takes; only a failing test waits for it.
inline constexpr std::chrono::seconds kPatience{20};

class Loop {
public:
    Loop() { std::signal(SIGPIPE, SIG_IGN); }

    [[nodiscard]] boost::asio::io_context& context() { return context_; }

    /// Runs what is due, then asks whether that is enough. False: it never was.
    template <typename Condition>
    bool run_until(Condition condition, std::chrono::nanoseconds patience = kPatience) {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            context_.restart();
            if (context_.run_for(std::chrono::milliseconds{1}) == 0) {
                std::this_thread::sleep_for(std::chrono::microseconds{100});
            }
        }
        return true;
    }
    /// For what should not happen.
    void run_for(std::chrono::nanoseconds time) {
        run_until([] { return false; }, time);
    }

private:
    boost::asio::io_context context_{1};
};

/// What has come of queries.
struct Results {
    std::map<dns::AskId, std::vector<Bytes>> responses;
    std::vector<dns::AskId> failures;

    [[nodiscard]] QueryObserver observer() {
        return {.on_response = [this](dns::AskId id, Bytes message) { responses[id].push_back(std::move(message)); },
                .on_failure = [this](dns::AskId id) { failures.push_back(id); }};
    }
    [[nodiscard]] bool has_response(dns::AskId id, std::size_t count = 1) const {
        const auto found = responses.find(id);
        return found != responses.end() && found->second.size() >= count;
    }
};

}  // namespace culvert::resolver::test
