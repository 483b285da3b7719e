#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace culvert::io {

enum class Operation : std::uint8_t { kUdpSend, kUdpReceive, kTunRead, kTunWrite };

/// One failed system call of the data path.
struct IoError {
    Operation operation;
    int error_number;

    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const IoError&, const IoError&) = default;
};

enum class Severity : std::uint8_t {
    kExpected,       ///< a network condition: DEBUG
    kPermission,     ///< the local firewall: INFO with a hint, once per process
    kPathTooNarrow,  ///< a network with a small MTU: WARN with a hint, once per process, then DEBUG
    kUnexpected,     ///< a bug or a misconfiguration: WARN
};

/// The table of spec/io-and-performance.md section 7.
[[nodiscard]] Severity severity_of(const IoError& error);

/// The errors of one turn of the event loop: collected while the batch goes on, reported together afterwards.
/// Equal errors are counted, so the memory is bounded by the number of kinds.
class ErrorBatch {
public:
    void add(IoError error);
    [[nodiscard]] bool empty() const { return entries_.empty(); }

    /// Logs each kind of error once with its count, then forgets all.
    void report();

    struct Entry {
        IoError error;
        std::uint64_t count = 0;
    };
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

    /// Forgets all and hands it out, for who reports differently.
    [[nodiscard]] std::vector<Entry> take() { return std::exchange(entries_, {}); }

private:
    std::vector<Entry> entries_;
    bool has_hinted_at_firewall_ = false;
    bool has_hinted_at_mtu_ = false;
};

}  // namespace culvert::io
