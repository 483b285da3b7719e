#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "culvert/base/time.h"

/// Times and sizes of the spool and its uploads. Source: spec/newer-dialect.md section 11; the others are ours to
/// choose.
namespace culvert::flow_upload {

/// What a device keeps on disk: about half a million records of all authorizations, and so many of one.
inline constexpr std::uint64_t kMaxSpoolBytes = std::uint64_t{256} << 20U;
inline constexpr std::size_t kMaxRecordsOfAuthorization = 100'000;
/// What a folder costs besides its files.
inline constexpr std::uint64_t kFolderBytes = 4096;
/// Records of one file. Far fewer than a batch, so that files are made at once and batches may be smaller.
inline constexpr std::size_t kRecordsOfFile = 250;

/// Records that wait to be written; more only if they come at once.
inline constexpr std::size_t kQueuedRecords = 10'000;

inline constexpr std::uint32_t kDefaultBatch = 1000;
inline constexpr std::uint32_t kMaxBatch = 10'000;
/// After a full batch there is more.
inline constexpr Duration kFullBatchPause = std::chrono::seconds{1};
/// While uploads are off.
inline constexpr Duration kDisabledPause = std::chrono::seconds{30};

/// After a failure that may be over soon: the first pause, doubled each time, until a batch has waited for so long.
inline constexpr Duration kFirstBackoff = std::chrono::seconds{1};
inline constexpr Duration kMaxBackoff = std::chrono::minutes{5};
/// 429 without Retry-After, and the longest that we wait whatever it says.
inline constexpr std::chrono::seconds kDefaultRetryAfter{1};
inline constexpr std::chrono::seconds kLongestRetryAfter{3600};
inline constexpr int kMaxRedirects = 5;

/// Of one request.
inline constexpr std::chrono::milliseconds kConnectTime{10'000};
inline constexpr std::chrono::milliseconds kRequestTime{60'000};
inline constexpr std::size_t kMaxAnswer = 64 * 1024;
inline constexpr Duration kLookUpTime = std::chrono::seconds{5};
/// How often what is under way looks at the queue.
inline constexpr std::chrono::milliseconds kAttention{200};

/// How far the clocks may drift apart before civil time is looked at anew, and how often that is remembered.
inline constexpr Duration kClockTolerance = std::chrono::seconds{2};
inline constexpr std::size_t kClockAgreements = 64;

/// How soon other settings take effect.
inline constexpr Duration kSettingsInterval = std::chrono::seconds{1};

/// Between two lines that say how much was lost.
inline constexpr Duration kLossInterval = std::chrono::minutes{1};

}  // namespace culvert::flow_upload
