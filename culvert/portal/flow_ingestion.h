#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culvert/base/rate_limiter.h"
#include "culvert/base/rng.h"
#include "culvert/net/ip_address.h"
#include "culvert/portal/storage.h"

namespace culvert::portal {

/// Takes what devices report of their flows: POST /ingestion/flow_logs. Source: spec/newer-dialect.md section 11.1.
///
/// A request is admitted once its header is there, judged once its body is, and stored in parts, between which others
/// get their turn.
class FlowIngestion {
public:
    /// `storage` must outlive the object.
    FlowIngestion(Storage& storage, const Rng& rng) : storage_{storage}, rng_{rng.child("flow ingestion")} {}

    struct Answer {
        unsigned status = 200;
        /// JSON.
        std::string body;
        std::optional<std::chrono::seconds> retry_after = std::nullopt;
        /// For the log.
        std::string_view code = {};
    };

    struct Admission {
        /// Bytes. Who shows no token of ours is heard out as well, so that he is told what is wrong, but not for long.
        std::size_t max_body = 0;
        /// What to answer if the body is longer.
        Answer too_long;
        /// What to answer once the body is there.
        std::optional<Answer> verdict = std::nullopt;
    };
    /// Throws StorageError.
    [[nodiscard]] Admission admit(const net::IpAddress& from, std::string_view authorization, const Account& account,
                                  Instant now, UnixSeconds wall_now);

    /// A batch that is being stored.
    class Batch {
    public:
        /// Stores the next records; the answer once all are stored. Throws StorageError: what was stored until then may
        /// come again.
        [[nodiscard]] std::optional<Answer> store_some(Storage& storage, UnixSeconds wall_now);

    private:
        friend class FlowIngestion;
        std::vector<FlowLogEntry> entries_;
        std::size_t next_ = 0;
        /// By index, what is wrong with records that are left out.
        std::map<std::size_t, std::string> errors_;
    };
    /// Throws StorageError.
    [[nodiscard]] std::variant<Batch, Answer> judge(std::string_view authorization, std::string_view body,
                                                    const Account& account, UnixSeconds wall_now);

    /// Deletes what is kept no longer. Throws StorageError.
    void reap(const Account& account, UnixSeconds wall_now);

    [[nodiscard]] static Answer unauthorized();
    [[nodiscard]] static Answer overloaded();

private:
    [[nodiscard]] std::optional<portal_api::IngestClaims> verify(std::string_view authorization, const Account& account,
                                                                 UnixSeconds wall_now);
    [[nodiscard]] const portal_api::IngestKey& key();
    [[nodiscard]] bool is_too_fast(const net::IpAddress& from, Instant now);

    Storage& storage_;
    Rng rng_;
    std::optional<portal_api::IngestKey> key_;
    std::map<net::IpAddress, RateLimiter> places_;
};

}  // namespace culvert::portal
