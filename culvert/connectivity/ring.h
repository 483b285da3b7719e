#pragma once

#include <cstddef>
#include <deque>
#include <utility>

namespace culvert::connectivity {

/// A queue that drops its oldest item to make room.
template <typename T>
class Ring {
public:
    explicit Ring(std::size_t capacity) : capacity_{capacity} {}

    void push(T item) {
        if (items_.size() == capacity_) {
            items_.pop_front();
        }
        items_.push_back(std::move(item));
    }

    [[nodiscard]] std::size_t size() const { return items_.size(); }

    /// Everything, oldest first; the ring is empty afterwards.
    [[nodiscard]] std::deque<T> take() { return std::exchange(items_, {}); }

private:
    std::size_t capacity_;
    std::deque<T> items_;
};

}  // namespace culvert::connectivity
