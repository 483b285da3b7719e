#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/session/event_merge.h"
#include "culvert/session/shard_group.h"
#include "culvert/session/shard_thread.h"

namespace culvert::session {

/// Which of `shards` owns a peer completely: its connection, policy and flows. The same for as long as both live.
[[nodiscard]] inline std::size_t owner_of(const Uuid& peer, std::size_t shards) {
    const auto& bytes = peer.bytes();
    std::size_t sum = 0;
    for (const auto byte : bytes) {
        sum = sum * 31 + byte;
    }
    return sum % shards;
}

/// Runs one state machine per shard, each in its thread, and is to the control thread what one would be: passes a
/// command about a peer to the shard that owns it and any other to all, merges events, and ends when all have ended.
template <ShardMachine Machine>
class Shards final : public ShardGroup {
public:
    using Command = typename Machine::Command;
    using Event = typename Machine::Event;

    /// One shard for each of `tuns`, the queues of the TUN device. `make_machine(number)` returns the state machine;
    /// all have the same public key. Sockets are not shared: each shard has a port of its own, the first one the
    /// preferred.
    template <typename MakeMachine>
    Shards(std::vector<io::TunDevice> tuns, io::Shard::Options options, MakeMachine make_machine)
        : merge_{tuns.size()} {
        for (std::size_t number = 0; number < tuns.size(); ++number) {
            threads_.push_back(std::make_unique<ShardThread<Machine>>([&] { return make_machine(number); },
                                                                      std::move(tuns[number]), options));
            ++options.preferred_port;
        }
    }

    /// Ends those that were not told to end: all at once, then each is waited for.
    ~Shards() override { shut_down(); }
    Shards(const Shards&) = delete;
    Shards& operator=(const Shards&) = delete;

    [[nodiscard]] const crypto::PublicKey& public_key() const override {
        return threads_.front()->state().public_key();
    }

    [[nodiscard]] std::expected<void, std::string> start() override {
        for (auto& thread : threads_) {
            if (auto started = thread->start(); !started) {
                return started;
            }
        }
        return {};
    }

    [[nodiscard]] bool post(portal_api::ToDevice message) override {
        auto* ours = std::get_if<typename Machine::PortalMessage>(&message);
        return ours == nullptr || post(Command{std::move(*ours)});
    }
    /// False: some shard is overloaded and did not take it.
    [[nodiscard]] bool post(Command command) {
        if (const auto peer = Machine::peer_of(command)) {
            return owner(*peer).post(std::move(command));
        }
        bool is_taken_by_all = true;
        for (auto& thread : threads_) {
            is_taken_by_all &= thread->post(command);
        }
        return is_taken_by_all;
    }
    /// To all, and for what must not be dropped.
    void post_always(const Command& command) {
        for (auto& thread : threads_) {
            thread->post_always(command);
        }
    }

    /// What the shards have to say, merged.
    [[nodiscard]] std::vector<Event> take_events() {
        std::vector<Event> merged;
        merge_.start_round();
        for (std::size_t number = 0; number < threads_.size(); ++number) {
            for (auto& event : threads_[number]->take_events()) {
                if (auto* ended = std::get_if<ShardEnded>(&event)) {
                    note_end(std::move(ended->error));
                    continue;
                }
                auto& of_machine = std::get<Event>(event);
                if (std::visit([&](const auto& alternative) { return merge_.passes(number, alternative); },
                               of_machine)) {
                    merged.push_back(std::move(of_machine));
                }
            }
        }
        return merged;
    }

    [[nodiscard]] bool are_alive() final {
        bool all = true;
        for (auto& thread : threads_) {
            all &= thread->has_taken_a_turn();
        }
        return all;
    }

    void shut_down() final { post_always(tunnel::ShutDown{}); }
    [[nodiscard]] bool have_ended() const override { return ended_ == threads_.size(); }
    [[nodiscard]] const std::optional<std::string>& error() const override { return error_; }
    void join() override {
        for (auto& thread : threads_) {
            thread->join();
        }
    }

    [[nodiscard]] std::vector<int> events_fds() const override {
        std::vector<int> fds;
        for (const auto& thread : threads_) {
            fds.push_back(thread->events_fd());
        }
        return fds;
    }
    [[nodiscard]] std::vector<ShardMetrics> metrics() const override {
        std::vector<ShardMetrics> all;
        for (const auto& thread : threads_) {
            all.push_back({&thread->counters(), &thread->figures()});
        }
        return all;
    }

private:
    [[nodiscard]] ShardThread<Machine>& owner(const Uuid& peer) { return *threads_[owner_of(peer, threads_.size())]; }

    void note_end(std::optional<std::string> error) {
        ++ended_;
        if (!error_) {
            error_ = std::move(error);
        }
    }

    std::vector<std::unique_ptr<ShardThread<Machine>>> threads_;
    EventMerge merge_;
    std::size_t ended_ = 0;
    std::optional<std::string> error_;
};

}  // namespace culvert::session
