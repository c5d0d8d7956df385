// Stream table and context descriptors: finding them, checking them, keeping them (Arm IHI 0070
// sections 3.3, 5.2, 5.4). Not modelled because not advertised: stage 2, STE.STRW other than EL1, virtual
// machine structures.
#pragma once

#include "models/core/memory_port.h"
#include "models/core/tagged_cache.h"
#include "models/core/wait.h"
#include "models/smmuv3/configuration.h"
#include "models/smmuv3/feature_set.h"
#include "models/smmuv3/parameters.h"
#include "models/smmuv3/register_file.h"

namespace iommusim::smmuv3 {

class ConfigurationFetch {
public:
    ConfigurationFetch(const Parameters& parameters, const Features& features, const RegisterFile& registers,
                       MemoryPort& memory, TimedQueue& queue);

    /// The cached configuration of a stream and substream, or nullptr; valid until the process waits.
    const Configuration* find(Pace& pace, std::uint32_t stream, bool has_substream, std::uint32_t substream);
    /// Reads the configuration of a stream and substream from memory. `stale` is looked at after the fetch: a
    /// fetch that an invalidation has overtaken is used, but not kept.
    Task<Configuration> fetch(Pace& pace, std::uint32_t stream, bool has_substream, std::uint32_t substream,
                              const bool& stale);

    void invalidate_all() { cache_.remove_scope(TagScope::everything()); }
    void invalidate_stream(std::uint32_t stream) {
        cache_.remove_scope(TagScope{Tag{0, tag::owner(stream, false, 0)}, tag::of_stream});
    }
    /// 2^log2_count streams from `first`, which is aligned to that number.
    void invalidate_streams(std::uint32_t first, unsigned log2_count);
    void invalidate_substream(std::uint32_t stream, std::uint32_t substream) {
        cache_.remove_scope(
            TagScope{Tag{0, tag::owner(stream, true, substream) & ~tag::substream_valid}, tag::of_substream});
    }

    const CacheStatistics& cache_statistics() const { return cache_.statistics(); }
    const StallCounter& stalls() const { return slots_.stalls(); }

private:
    Task<Configuration> read(Pace& pace, std::uint32_t stream, bool has_substream, std::uint32_t substream);
    static Configuration fault(unsigned event, bool cacheable, std::uint64_t fetch_address = 0);
    bool bad_stream_entry(const std::uint64_t* ste) const;
    bool bad_context_descriptor(const std::uint64_t* cd, const std::uint64_t* ste) const;
    void decode_context(const std::uint64_t* cd, Configuration& configuration) const;

    const Parameters& parameters_;
    const Features& features_;
    const RegisterFile& registers_;
    MemoryPort& memory_;
    TaggedCache<Configuration> cache_;
    Resource slots_;
};

} // namespace iommusim::smmuv3
