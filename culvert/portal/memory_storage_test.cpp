#include "culvert/portal/memory_storage.h"
#include "culvert/portal/storage_contract.h"

namespace culvert::portal {
namespace {

struct MakeMemoryStorage {
    static std::unique_ptr<Storage> make(Rng& rng) { return std::make_unique<MemoryStorage>(rng); }
};

CULVERT_STORAGE_CONTRACT(Memory, MakeMemoryStorage);

}  // namespace
}  // namespace culvert::portal
