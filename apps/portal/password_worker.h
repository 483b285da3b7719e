#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace culvert::portal_server {

/// A thread for what takes long and needs nothing but the processor. Its queue is bounded: whoever makes it wait longer
/// than that is turned away.
class PasswordWorker {
public:
    explicit PasswordWorker(std::size_t max_waiting);
    /// What waits is dropped; what is being done is waited for.
    ~PasswordWorker();
    PasswordWorker(const PasswordWorker&) = delete;
    PasswordWorker& operator=(const PasswordWorker&) = delete;

    /// False: too much waits already.
    [[nodiscard]] bool submit(std::function<void()> job);

private:
    void run();

    std::size_t max_waiting_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool is_stopping_ = false;
    std::thread thread_;
};

}  // namespace culvert::portal_server
