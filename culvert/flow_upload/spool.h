#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/flow_upload/constants.h"
#include "culvert/portal_api/ingest_token.h"

namespace culvert::flow_upload {

/// Records of flows that wait for their upload, in files that survive the program.
///
/// `<root>/<role>/<authorization>/` holds `token` and files of records, each with a checksum and written under another
/// name first. Folders are for their owner only. What is damaged is deleted when it is found, and an authorization's
/// folder when its token has expired: nobody would take its records any more.
///
/// One thread at a time.
class Spool {
public:
    struct Limits {
        std::uint64_t bytes = kMaxSpoolBytes;
        std::size_t records_of_authorization = kMaxRecordsOfAuthorization;
    };
    struct Key {
        portal_api::FlowRole role = portal_api::FlowRole::kInitiator;
        Uuid authorization;

        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Batch {
        std::vector<std::string> records;
        std::vector<std::string> files;
        /// Whether there are files beside these.
        bool has_more = false;
    };

    /// Takes over what is there; creates the folder if it is missing. The error is for a person.
    [[nodiscard]] static std::expected<Spool, std::string> open(std::filesystem::path root, Limits limits,
                                                                UnixSeconds now);

    /// Adds records, each a JSON text in one line. How many were lost, for want of room or because of the disk.
    [[nodiscard]] std::size_t add(const Key& key, const std::string& token, UnixSeconds expires_at,
                                  const std::vector<std::string>& records);

    /// Those of which there are records.
    [[nodiscard]] std::vector<Key> waiting() const;
    [[nodiscard]] const std::string& token(const Key& key) const { return folders_.at(key).token; }
    /// The oldest files with at most `limit` records in all; or one that has more.
    [[nodiscard]] Batch read(const Key& key, std::size_t limit);
    /// They have arrived.
    void remove(const Key& key, const std::vector<std::string>& files);
    /// They were refused: others of the authorization get their turn first.
    void put_off(const Key& key, const std::vector<std::string>& files);

    void prune(UnixSeconds now);

    /// A small text beside the records that survives as well.
    void keep_note(const std::string& text);
    [[nodiscard]] std::optional<std::string> note() const;

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t records() const;
    /// What went wrong with the disk last, once.
    [[nodiscard]] std::optional<std::string> take_error();

private:
    struct File {
        std::string name;
        std::size_t records = 0;
        std::uint64_t bytes = 0;
    };
    struct Folder {
        std::string token;
        UnixSeconds expires_at;
        std::deque<File> files;
        std::size_t records = 0;
    };
    using Folders = std::map<Key, Folder>;

    Spool(std::filesystem::path root, Limits limits) : root_{std::move(root)}, limits_{limits} {}

    [[nodiscard]] std::filesystem::path path_of(const Key& key) const;
    void load(UnixSeconds now);
    void load_folder(const Key& key, const std::filesystem::path& path, UnixSeconds now);
    [[nodiscard]] Folder* folder_for(const Key& key, const std::string& token, UnixSeconds expires_at);
    [[nodiscard]] bool write_file(const std::filesystem::path& path, const std::string& text);
    void forget(Folder& folder, std::deque<File>::iterator file);
    Folders::iterator drop(Folders::iterator folder);

    std::filesystem::path root_;
    Limits limits_;
    Folders folders_;
    std::uint64_t bytes_ = 0;
    std::uint64_t next_file_ = 0;
    std::optional<std::string> error_;
};

}  // namespace culvert::flow_upload
