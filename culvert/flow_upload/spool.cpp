#include "culvert/flow_upload/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <utility>

#include "culvert/flow_upload/record_file.h"
#include "culvert/io/file_descriptor.h"
#include "culvert/observability/log.h"

namespace culvert::flow_upload {
namespace {

namespace fs = std::filesystem;
using portal_api::FlowRole;

constexpr log::Logger kLog{"flow_upload"};

constexpr const char* kTokenFile = "token";
constexpr const char* kNoteFile = "upload.json";
/// What a file is called until it is complete.
constexpr const char* kUnfinished = ".unfinished";

std::optional<std::string> read_small_file(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) {
        return std::nullopt;
    }
    return std::string{std::istreambuf_iterator<char>{file}, {}};
}

/// For the owner only; there already is fine.
bool make_folder(const fs::path& path) {
    return ::mkdir(path.c_str(), S_IRWXU) == 0 || errno == EEXIST;
}

void delete_path(const fs::path& path) {
    std::error_code ignored;  // what cannot be deleted is found again
    fs::remove_all(path, ignored);
}

std::vector<fs::path> list(const fs::path& folder) {
    std::vector<fs::path> paths;
    std::error_code error;
    for (fs::directory_iterator entry{folder, error}; !error && entry != fs::directory_iterator{};
         entry.increment(error)) {
        paths.push_back(entry->path());
    }
    std::ranges::sort(paths);
    return paths;
}

}  // namespace

std::expected<Spool, std::string> Spool::open(fs::path root, Limits limits, UnixSeconds now) {
    Spool spool{std::move(root), limits};
    for (const auto& folder : {spool.root_, spool.root_ / std::string{to_string(FlowRole::kInitiator)},
                               spool.root_ / std::string{to_string(FlowRole::kResponder)}}) {
        if (!make_folder(folder)) {
            return std::unexpected{"cannot keep records of flows in \"" + folder.string() +
                                   "\": " + std::strerror(errno) + ". Make the folder writable for this program."};
        }
    }
    spool.load(now);
    return spool;
}

fs::path Spool::path_of(const Key& key) const {
    return root_ / std::string{to_string(key.role)} / key.authorization.to_string();
}

// --- What an earlier run left ---

void Spool::load(UnixSeconds now) {
    for (const auto role : {FlowRole::kInitiator, FlowRole::kResponder}) {
        for (const auto& path : list(root_ / std::string{to_string(role)})) {
            if (const auto id = Uuid::parse(path.filename().string())) {
                load_folder({role, *id}, path, now);
            } else {
                delete_path(path);
            }
        }
    }
}

void Spool::load_folder(const Key& key, const fs::path& path, UnixSeconds now) {
    const auto token = read_small_file(path / kTokenFile);
    const auto claims =
        token ? portal_api::decode_ingest_token(*token) : std::unexpected{portal_api::IngestTokenError::kMalformed};
    if (!claims || claims->role != key.role || claims->policy_authorization != key.authorization ||
        claims->expires_at <= now) {
        delete_path(path);
        return;
    }
    Folder folder{.token = *token, .expires_at = claims->expires_at, .files = {}};
    for (const auto& file : list(path)) {
        const auto name = file.filename().string();
        std::error_code error;
        const auto size = fs::file_size(file, error);
        if (name == kTokenFile) {
            continue;
        }
        const auto parsed = parse_record_file_name(name);
        if (!parsed || error) {
            delete_path(file);
            continue;
        }
        next_file_ = std::max(next_file_, parsed->number + 1);
        folder.files.push_back({name, parsed->records, size});
        folder.records += parsed->records;
        bytes_ += size;
    }
    if (folder.files.empty()) {
        delete_path(path);
        return;
    }
    bytes_ += kFolderBytes;
    folders_.emplace(key, std::move(folder));
}

// --- Records come and go ---

std::size_t Spool::add(const Key& key, const std::string& token, UnixSeconds expires_at,
                       const std::vector<std::string>& records) {
    auto* folder = folder_for(key, token, expires_at);
    if (folder == nullptr) {
        return records.size();
    }
    const auto room = limits_.records_of_authorization - std::min(limits_.records_of_authorization, folder->records);
    auto rest = std::span{records}.first(std::min(room, records.size()));
    auto lost = records.size() - rest.size();
    while (!rest.empty()) {
        const auto part = rest.first(std::min(kRecordsOfFile, rest.size()));
        const auto text = encode_record_file(part);
        const auto name = record_file_name(next_file_++, part.size());
        if (bytes_ + text.size() > limits_.bytes || !write_file(path_of(key) / name, text)) {
            lost += rest.size();
            break;
        }
        folder->files.push_back({name, part.size(), text.size()});
        folder->records += part.size();
        bytes_ += text.size();
        rest = rest.subspan(part.size());
    }
    if (folder->files.empty()) {
        drop(folders_.find(key));
    }
    return lost;
}

Spool::Folder* Spool::folder_for(const Key& key, const std::string& token, UnixSeconds expires_at) {
    const auto found = folders_.find(key);
    if (found != folders_.end() && found->second.token == token) {
        return &found->second;
    }
    if (found == folders_.end() && bytes_ + kFolderBytes > limits_.bytes) {
        return nullptr;
    }
    const auto path = path_of(key);
    if (!make_folder(path)) {
        error_ = "cannot create \"" + path.string() + "\": " + std::strerror(errno);
        return nullptr;
    }
    if (!write_file(path / kTokenFile, token)) {
        return nullptr;
    }
    if (found == folders_.end()) {
        bytes_ += kFolderBytes;
    }
    auto& folder = folders_[key];
    folder.token = token;
    folder.expires_at = expires_at;
    return &folder;
}

/// Complete or not at all.
bool Spool::write_file(const fs::path& path, const std::string& text) {
    const auto unfinished = path.parent_path() / kUnfinished;
    ::unlink(unfinished.c_str());
    const io::FileDescriptor file{
        ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR)};
    std::size_t written = 0;
    while (file && written < text.size()) {
        const auto count = ::write(file.get(), text.data() + written, text.size() - written);
        if (count <= 0) {
            break;
        }
        written += static_cast<std::size_t>(count);
    }
    if (!file || written < text.size() || ::rename(unfinished.c_str(), path.c_str()) != 0) {
        error_ = "cannot write \"" + path.string() + "\": " + std::strerror(errno);
        ::unlink(unfinished.c_str());
        return false;
    }
    return true;
}

std::vector<Spool::Key> Spool::waiting() const {
    std::vector<Key> keys;
    for (const auto& [key, folder] : folders_) {
        keys.push_back(key);
    }
    return keys;
}

Spool::Batch Spool::read(const Key& key, std::size_t limit) {
    Batch batch;
    const auto found = folders_.find(key);
    if (found == folders_.end()) {
        return batch;
    }
    auto& folder = found->second;
    for (auto file = folder.files.begin(); file != folder.files.end();) {
        if (!batch.files.empty() && batch.records.size() + file->records > limit) {
            batch.has_more = true;
            return batch;
        }
        const auto path = path_of(key) / file->name;
        const auto text = read_small_file(path);
        auto records = text ? decode_record_file(*text) : std::nullopt;
        if (!records || records->size() != file->records) {
            kLog.warn("Deleting a damaged file with records of flows", log::field("records", file->records));
            delete_path(path);
            forget(folder, file);
            file = folder.files.begin() + static_cast<std::ptrdiff_t>(batch.files.size());
            continue;
        }
        batch.files.push_back(file->name);
        std::ranges::move(*records, std::back_inserter(batch.records));
        ++file;
    }
    if (folder.files.empty()) {
        drop(found);
    }
    return batch;
}

void Spool::remove(const Key& key, const std::vector<std::string>& files) {
    const auto found = folders_.find(key);
    if (found == folders_.end()) {
        return;
    }
    auto& folder = found->second;
    for (const auto& name : files) {
        const auto file = std::ranges::find(folder.files, name, &File::name);
        if (file != folder.files.end()) {
            ::unlink((path_of(key) / name).c_str());
            forget(folder, file);
        }
    }
    if (folder.files.empty()) {
        drop(found);
    }
}

void Spool::put_off(const Key& key, const std::vector<std::string>& files) {
    const auto found = folders_.find(key);
    if (found == folders_.end()) {
        return;
    }
    std::ranges::stable_partition(found->second.files,
                                  [&](const File& file) { return std::ranges::count(files, file.name) == 0; });
}

void Spool::forget(Folder& folder, std::deque<File>::iterator file) {
    bytes_ -= file->bytes;
    folder.records -= file->records;
    folder.files.erase(file);
}

Spool::Folders::iterator Spool::drop(Folders::iterator folder) {
    delete_path(path_of(folder->first));
    for (const auto& file : folder->second.files) {
        bytes_ -= file.bytes;
    }
    bytes_ -= kFolderBytes;
    return folders_.erase(folder);
}

void Spool::prune(UnixSeconds now) {
    for (auto folder = folders_.begin(); folder != folders_.end();) {
        if (folder->second.expires_at <= now) {
            kLog.debug("Deleting records of flows that nobody takes any more",
                       log::field("records", folder->second.records));
            folder = drop(folder);
        } else {
            ++folder;
        }
    }
}

// --- The rest ---

void Spool::keep_note(const std::string& text) {
    static_cast<void>(write_file(root_ / kNoteFile, text));
}

std::optional<std::string> Spool::note() const {
    return read_small_file(root_ / kNoteFile);
}

std::size_t Spool::records() const {
    std::size_t count = 0;
    for (const auto& [key, folder] : folders_) {
        count += folder.records;
    }
    return count;
}

std::optional<std::string> Spool::take_error() {
    return std::exchange(error_, std::nullopt);
}

}  // namespace culvert::flow_upload
