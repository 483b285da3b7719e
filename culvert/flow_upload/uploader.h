#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "culvert/flow_upload/spool.h"
#include "culvert/flow_upload/transport.h"

namespace culvert::flow_upload {

/// Carries records from the spool to the portal, and does with each answer what spec/newer-dialect.md section 11.1
/// says. What did not arrive stays where it is; what arrives twice does no harm.
class Uploader {
public:
    Uploader(Spool& spool, Transport& transport) : spool_{spool}, transport_{transport} {}

    enum class Outcome : std::uint8_t {
        /// Each authorization's batch was tried.
        kDone,
        /// And some of them were full: there is more.
        kHasMore,
        /// The portal cannot be reached, or not now.
        kGaveUp,
        /// The program ends.
        kEnding,
    };
    /// One batch of each authorization, of at most `batch_size` records.
    [[nodiscard]] Outcome pass(const Destination& destination, std::size_t batch_size);

private:
    enum class Fate : std::uint8_t { kArrived, kRefused, kUnreachable, kEnding };

    using Records = std::span<const std::string>;
    [[nodiscard]] Fate send(const Spool::Key& key, const std::string& token, Records records);
    [[nodiscard]] Fate send_halves(const Spool::Key& key, const std::string& token, Records records);
    /// False: it leads nowhere.
    [[nodiscard]] bool follow(const Answer& answer);
    void report(const Spool::Key& key, unsigned status);
    void report_untrusted(const Answer& answer);

    Spool& spool_;
    Transport& transport_;
    /// Of this pass, which a redirect may have changed.
    Destination destination_;
    int redirects_ = 0;
    /// What each authorization was last refused with.
    std::map<Spool::Key, unsigned> refused_with_;
    /// Whether it was said that the server does not prove who it is.
    bool is_known_as_untrusted_ = false;
};

}  // namespace culvert::flow_upload
