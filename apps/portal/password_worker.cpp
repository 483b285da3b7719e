#include "apps/portal/password_worker.h"

#include <utility>

namespace culvert::portal_server {

PasswordWorker::PasswordWorker(std::size_t max_waiting) : max_waiting_{max_waiting}, thread_{[this] { run(); }} {}

PasswordWorker::~PasswordWorker() {
    {
        const std::lock_guard lock{mutex_};
        is_stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

bool PasswordWorker::submit(std::function<void()> job) {
    {
        const std::lock_guard lock{mutex_};
        if (jobs_.size() >= max_waiting_) {
            return false;
        }
        jobs_.push_back(std::move(job));
    }
    changed_.notify_all();
    return true;
}

void PasswordWorker::run() {
    while (true) {
        std::function<void()> job;
        {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [&] { return is_stopping_ || !jobs_.empty(); });
            if (is_stopping_) {
                return;
            }
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();
    }
}

}  // namespace culvert::portal_server
