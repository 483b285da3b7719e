#pragma once

#include <functional>
#include <map>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace culvert::resolver {

/// Waits for descriptors that come and go, our own and those of libraries. Never closes one. Everything happens on the
/// thread that runs the context, which must outlive the set.
class DescriptorSet {
public:
    /// Errors and the end of a connection make a descriptor readable or writable, whichever is waited for.
    using Handler = std::function<void(int fd, bool is_readable, bool is_writable)>;

    /// `handler` may change and even destroy the set.
    DescriptorSet(boost::asio::io_context& context, Handler handler);
    ~DescriptorSet();
    DescriptorSet(const DescriptorSet&) = delete;
    DescriptorSet& operator=(const DescriptorSet&) = delete;

    /// Calls the handler for as long as `fd` is readable or writable. For neither it is forgotten: do that before it is
    /// closed.
    void watch(int fd, bool for_reading, bool for_writing);
    void forget(int fd) { watch(fd, false, false); }

private:
    class Watched;

    boost::asio::io_context& context_;
    std::shared_ptr<const Handler> handler_;
    std::map<int, std::shared_ptr<Watched>> watched_;
};

}  // namespace culvert::resolver
