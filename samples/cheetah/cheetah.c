// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cheetah: a web server that reads its disk and drives its network itself
 *
 * The site is an extent that cheetah-pack filled. Documents go from the disk
 * into frames and from the same frames to the wire, by TCP in this process; the
 * kernel only sees to it that the blocks and the port are ours. One thread, one
 * loop, asleep when there is nothing to do.
 *
 * After Cheetah of "Application Performance and Flexibility on Exokernel
 * Systems", SOSP '97, section 7.3.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <exo/exo.h>
#include <exo/flow.h>
#include <exo/neigh.h>
#include <exo/tcp.h>

#include "conn.h"
#include "site.h"

#define RX_BYTES	(1024 * 1024)
#define NR_TX		1024
#define CLAIM_TRIES	100
#define RETRY_NS	1000000		/* a read that had no room is tried again */
#define EXPIRE_NS	1000000000	/* half requests are looked at */

static const char usage[] =
	"usage: cheetah --disk DISK:NAME --dev DEVICE [OPTION]...\n"
	"Serve the site that cheetah-pack put into the extent NAME of DISK.\n"
	"  -d, --disk DISK:NAME   where the site is; NAME may be OWNER:NAME\n"
	"  -i, --dev DEVICE       network device, attached by exoctl net attach\n"
	"  -p, --port PORT        (80)\n"
	"  -a, --address ADDRESS  local IPv4 address (all)\n"
	"  -c, --cache MIB        most memory for documents (64)\n"
	"  -n, --conns NUMBER     most connections (4096)\n"
	"  -b, --busy-poll        poll the device before sleeping\n"
	"  -v, --verbose          say what is done, and counts at the end\n"
	"  -h, --help             this text\n";

struct options {
	const char *disk;
	const char *dev;
	struct in_addr address;
	unsigned int port;
	unsigned int cache_mib;
	unsigned int nr_conns;
	bool busy_poll;
	bool verbose;
};

/**
 * struct cheetah - the program
 * @opt: what was asked for
 * @server: what connections share
 * @site: the site
 * @sock: reservation of the port
 * @sigfd: signals that end it
 */
struct cheetah {
	struct options opt;
	struct server server;
	struct site site;
	struct exo_env *env;
	struct exo_loop *loop;
	struct exo_flow *flow;
	struct exo_neigh *neigh;
	struct exo_tcp *tcp;
	int sock;
	int sigfd;
};

__attribute__((format(printf, 1, 2)))
static int complain(const char *format, ...)
{
	va_list ap;

	fputs("cheetah: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

/* ------------------------------------------------------------------ work */

static void report_read_error(struct cache *cache)
{
	complain("disk: chunk %u of the site: %s", cache->failed_chunk,
		 cache->failed == -EILSEQ ?
		 "its checksum is wrong; pack the site again" :
		 strerror(-cache->failed));
	cache->failed = 0;
}

/* When to come back even if nothing happens. */
static void set_deadline(struct cheetah *ch, __u64 now_ns, bool retry)
{
	__s64 due = exo_tcp_next_timeout_ns(ch->tcp, now_ns);

	if (due >= 0)
		exo_loop_due(ch->loop, now_ns + due);
	if (retry)
		exo_loop_due(ch->loop, now_ns + RETRY_NS);
	if (ch->server.reading)
		exo_loop_due(ch->loop, now_ns + EXPIRE_NS);
}

/* What the disk brought, then what the network brought. */
static void on_env(struct exo_loop *loop, void *ctx)
{
	struct cheetah *ch = ctx;
	struct server *s = &ch->server;
	struct timespec ts;
	bool retry;
	int rc;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	s->now = ts.tv_sec;
	first_set_time(&s->first, ts.tv_sec);
	cache_reap(&s->cache);
	if (s->reading)
		conn_expire(s);
	rc = exo_tcp_run(ch->tcp, exo_loop_now_ns(loop));
	if (rc == -ESTALE) {
		complain("device %s: the flow is gone (device removed, or port taken away)",
			 ch->opt.dev);
		exo_loop_stop(loop, 1);
	}
	retry = cache_submit(&s->cache) != 0;
	if (s->cache.failed)
		report_read_error(&s->cache);
	set_deadline(ch, exo_loop_now_ns(loop), retry);
}

/* One call sends what was queued and sleeps until something comes. */
static int on_wait(struct exo_loop *loop, __u64 timeout_ns, void *ctx)
{
	struct cheetah *ch = ctx;
	__u32 flags = ch->opt.busy_poll ? EXO_FLOW_KICK_BUSY_POLL : 0;
	int rc;

	(void)loop;
	if (timeout_ns)
		flags |= EXO_FLOW_KICK_WAIT;
	rc = exo_flow_kick(ch->flow, flags, timeout_ns == ~0ULL ? 0 : timeout_ns);
	/* A dead flow is exo_tcp_run()'s to notice. */
	return rc > 0 || rc == -ESTALE ? 0 : rc;
}

static void on_signal(struct exo_loop *loop, int fd, unsigned int events,
		      void *ctx)
{
	struct signalfd_siginfo info;

	(void)events;
	(void)ctx;
	if (read(fd, &info, sizeof(info)) == sizeof(info))
		exo_loop_stop(loop, 0);
}

static void on_neigh(struct exo_loop *loop, int fd, unsigned int events,
		     void *ctx)
{
	struct cheetah *ch = ctx;
	int rc;

	(void)loop;
	(void)fd;
	(void)events;
	rc = exo_neigh_process(ch->neigh);
	if (rc)
		complain("routes and neighbours of %s: %s", ch->opt.dev,
			 strerror(-rc));
}

/* ----------------------------------------------------------------- setup */

static int open_site(struct cheetah *ch)
{
	int rc;

	rc = exo_env_open(NULL, NULL, &ch->env);
	if (rc)
		return complain("cannot open " EXO_DEVICE_PATH ": %s%s",
				strerror(-rc), rc == -ENOENT ?
				"; is the exo module loaded?" : "");
	rc = site_open(&ch->site, ch->env, ch->opt.disk);
	if (rc == -EUCLEAN || rc == -EPROTONOSUPPORT)
		return complain("%s: %s; pack the site again with cheetah-pack",
				ch->opt.disk, ch->site.what);
	if (rc)
		return complain("%s: %s: %s", ch->opt.disk, ch->site.what,
				strerror(-rc));
	return 0;
}

static int make_cache(struct cheetah *ch)
{
	struct server *s = &ch->server;
	uint64_t want = (uint64_t)ch->opt.cache_mib << 20;
	uint64_t have, site;
	int rc;

	s->env = ch->env;
	s->docs = &ch->site.docs;
	rc = cache_init(&s->cache, ch->env, &ch->site.extent, s->docs, want);
	if (rc)
		return complain("no memory for documents: %s%s", strerror(-rc),
				rc == -EDQUOT ? "; raise ulimit -l" : "");
	first_init(&s->first, &s->cache.frame, s->cache.extra);
	have = (uint64_t)s->cache.nr_slots * DOC_CHUNK_BYTES;
	site = (uint64_t)s->docs->nr_chunks * DOC_CHUNK_BYTES;
	if (have < want && have < site)
		complain("only %llu MiB of memory for documents can be had; more: ulimit -l",
			 (unsigned long long)(have >> 20));
	return 0;
}

/* The reservation: ss shows it, the port's rules are those of any program. */
static int reserve_port(struct cheetah *ch)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(ch->opt.port),
		.sin_addr = ch->opt.address,
	};

	ch->sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ch->sock < 0)
		return complain("socket: %s", strerror(errno));
	if (!bind(ch->sock, (struct sockaddr *)&addr, sizeof(addr)) &&
	    !listen(ch->sock, 1))
		return 0;
	return complain("port %u of %s: %s%s", ch->opt.port,
			inet_ntoa(ch->opt.address), strerror(errno),
			errno == EACCES ?
			"; see sysctl net.ipv4.ip_unprivileged_port_start" :
			errno == EADDRINUSE ? "; ss -ltnp shows by whom" : "");
}

static const char *bind_hint(int rc)
{
	switch (rc) {
	case -ENOENT:
	case -ENODEV:
		return "; as root: exoctl net attach";
	case -EPERM:
		return "; as root: exoctl net grant";
	case -EEXIST:
		return "; another flow has this port";
	case -EDQUOT:
		return "; raise ulimit -l";
	default:
		return "";
	}
}

/*
 * A client that connects between listen() and the claim has a connection with
 * Linux, which the module does not take over: -EBUSY. Then begin anew.
 */
static int claim_port(struct cheetah *ch, unsigned int ifindex)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int i, rc = -EBUSY;

	for (i = 0; i < CLAIM_TRIES && rc == -EBUSY; i++) {
		if (i > 0) {
			close(ch->sock);
			nanosleep(&pause, NULL);
		}
		if (reserve_port(ch))
			return 1;
		rc = exo_flow_bind(ch->env, ch->sock, ifindex, RX_BYTES, NR_TX,
				   &ch->flow);
	}
	if (!rc)
		return 0;
	return complain("cannot bind port %u on %s: %s%s", ch->opt.port,
			ch->opt.dev, strerror(-rc), bind_hint(rc));
}

static int bind_flow(struct cheetah *ch)
{
	unsigned int ifindex = if_nametoindex(ch->opt.dev);
	struct exo_tcp_config config;
	int rc;

	if (!ifindex)
		return complain("device %s: %s", ch->opt.dev, strerror(errno));
	if (claim_port(ch, ifindex))
		return 1;
	rc = exo_neigh_open(ifindex, &ch->neigh);
	if (rc)
		return complain("routes and neighbours of %s: %s", ch->opt.dev,
				strerror(-rc));
	exo_tcp_config_init(&config);
	config.user = &ch->server;
	config.neigh = ch->neigh;
	config.max_conns = ch->opt.nr_conns;
	config.rcv_window_bytes = CONN_WINDOW;
	rc = exo_tcp_create(ch->env, ch->flow, &conn_ops, &config, &ch->tcp);
	return rc ? complain("cannot set up TCP: %s", strerror(-rc)) : 0;
}

static int make_loop(struct cheetah *ch)
{
	sigset_t set;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ch->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (ch->sigfd < 0)
		return complain("signalfd: %s", strerror(errno));
	rc = exo_loop_create(ch->env, 0, &ch->loop);
	if (rc)
		return complain("cannot make an event loop: %s", strerror(-rc));
	exo_loop_on_env(ch->loop, on_env, ch);
	exo_loop_on_wait(ch->loop, on_wait, ch);
	rc = exo_loop_add_fd(ch->loop, ch->sigfd, POLLIN, on_signal, ch);
	if (!rc)
		rc = exo_loop_add_fd(ch->loop, exo_neigh_fd(ch->neigh), POLLIN,
				     on_neigh, ch);
	return rc ? complain("event loop: %s", strerror(-rc)) : 0;
}

static void say_counts(const struct cheetah *ch)
{
	const struct server *s = &ch->server;
	struct exo_tcp_stats t;

	exo_tcp_stats(ch->tcp, &t);
	printf("requests %llu errors %llu connections %llu\n"
	       "chunks hit %llu read %llu evicted %llu failed %llu\n"
	       "sent %llu bytes in %llu packets, %llu bytes again, timeouts %llu\n"
	       "resets %llu, handshakes forgotten %llu refused %llu\n",
	       (unsigned long long)s->nr_requests,
	       (unsigned long long)s->nr_errors,
	       (unsigned long long)t.accepted,
	       (unsigned long long)s->cache.stats.hits,
	       (unsigned long long)s->cache.stats.reads,
	       (unsigned long long)s->cache.stats.evictions,
	       (unsigned long long)s->cache.stats.errors,
	       (unsigned long long)t.tx_bytes, (unsigned long long)t.tx_descs,
	       (unsigned long long)t.retrans_bytes,
	       (unsigned long long)t.timeouts,
	       (unsigned long long)t.tx_rsts,
	       (unsigned long long)t.half_open_dropped,
	       (unsigned long long)t.accept_dropped);
}

static int serve(struct cheetah *ch)
{
	int rc;

	/* The rings before the cache, which takes what the limits leave. */
	if (open_site(ch) || bind_flow(ch) || make_cache(ch) || make_loop(ch))
		return 1;
	printf("cheetah: serving %u documents of %s on %s port %u\n",
	       ch->site.docs.nr_docs, ch->opt.disk, ch->opt.dev, ch->opt.port);
	fflush(stdout);
	rc = exo_loop_run(ch->loop);
	if (rc < 0)
		rc = complain("event loop: %s", strerror(-rc));
	if (ch->opt.verbose)
		say_counts(ch);
	/* Connections first, then the flow, so that frames are ours again. */
	exo_tcp_destroy(ch->tcp);
	exo_loop_destroy(ch->loop);
	exo_neigh_close(ch->neigh);
	exo_flow_unbind(ch->flow);
	cache_exit(&ch->server.cache);
	conn_free_unused(&ch->server);
	site_close(&ch->site);
	exo_env_close(ch->env);
	close(ch->sigfd);
	close(ch->sock);
	return rc;
}

static bool parse_number(const char *arg, unsigned int max, unsigned int *out)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(arg, &end, 10);
	if (errno || *end || end == arg || n < 1 || n > max)
		return false;
	*out = n;
	return true;
}

/* True if the option is understood. */
static bool take_option(struct options *opt, int c)
{
	switch (c) {
	case 'd':
		opt->disk = optarg;
		return true;
	case 'i':
		opt->dev = optarg;
		return true;
	case 'p':
		return parse_number(optarg, 65535, &opt->port);
	case 'a':
		return inet_pton(AF_INET, optarg, &opt->address) == 1;
	case 'c':
		return parse_number(optarg, 1 << 20, &opt->cache_mib);
	case 'n':
		return parse_number(optarg, 1 << 20, &opt->nr_conns);
	case 'b':
		opt->busy_poll = true;
		return true;
	case 'v':
		opt->verbose = true;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "disk", required_argument, NULL, 'd' },
		{ "dev", required_argument, NULL, 'i' },
		{ "port", required_argument, NULL, 'p' },
		{ "address", required_argument, NULL, 'a' },
		{ "cache", required_argument, NULL, 'c' },
		{ "conns", required_argument, NULL, 'n' },
		{ "busy-poll", no_argument, NULL, 'b' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	static struct cheetah ch = {
		.opt = { .port = 80, .cache_mib = 64, .nr_conns = 4096 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "d:i:p:a:c:n:bvh", options,
				NULL)) >= 0) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (!take_option(&ch.opt, c)) {
			if (c != '?')
				complain("-%c %s is out of range", c, optarg);
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!ch.opt.disk || !ch.opt.dev || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return serve(&ch);
}
