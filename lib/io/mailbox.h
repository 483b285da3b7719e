#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "culvert/io/file_descriptor.h"

namespace culvert::io {

/// A bounded queue from many threads to one, with a descriptor that becomes readable when there is something to take.
/// For control messages: it takes a lock, so no packet ever goes through it.
template <typename T>
class Mailbox {
public:
    explicit Mailbox(std::size_t capacity) : capacity_{capacity}, event_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {}

    /// False if the mailbox is full; the message is then dropped and the caller must say so.
    [[nodiscard]] bool post(T message) {
        const std::lock_guard lock{mutex_};
        if (messages_.size() >= capacity_) {
            return false;
        }
        messages_.push_back(std::move(message));
        const std::uint64_t one = 1;
        return ::write(event_.get(), &one, sizeof one) == sizeof one;
    }

    /// Everything posted so far, in order.
    [[nodiscard]] std::vector<T> take() {
        std::vector<T> taken;
        const std::lock_guard lock{mutex_};
        std::uint64_t count = 0;
        // Fails with EAGAIN if nothing was posted, which is fine.
        if (::read(event_.get(), &count, sizeof count) == sizeof count) {
            taken.swap(messages_);
        }
        return taken;
    }

    /// Readable while messages wait; for poll().
    [[nodiscard]] int fd() const { return event_.get(); }

private:
    std::size_t capacity_;
    FileDescriptor event_;
    std::mutex mutex_;
    std::vector<T> messages_;
};

}  // namespace culvert::io
