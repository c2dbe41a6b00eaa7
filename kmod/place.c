// SPDX-License-Identifier: GPL-2.0
/*
 * Place: the command that says where the pages of a frame are.
 *
 * Colour, node and neighbourhood are what a library needs to place its data;
 * the physical number itself helps attackers too (row hammering, physmap
 * sprays), so it is for those whom the administrator lets see it.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/exo.h>

#include "check.h"
#include "command.h"
#include "frame.h"
#include "policy.h"

#define MAX_INFO	65536

/**
 * struct survey - pages being looked at
 * @pages: of the frame
 * @end: end of what the capability covers, in @pages
 * @numbers: physical numbers may be told
 * @run_end: pages up to this one (exclusive) are known to be contiguous
 */
struct survey {
	const struct exo_pages *pages;
	u32 end;
	bool numbers;
	u32 run_end;
};

/* The opener counts, whoever asks. */
static bool opener_is_admin(const struct exo_env *env)
{
	const struct cred *old = override_creds(env->cred);
	bool admin = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);

	revert_creds(old);
	return admin;
}

static bool may_see_numbers(const struct exo_env *env)
{
	return EXO_CHECK(place_numbers,
			 exo_policy_allows(env->user->uid, EXO_ALLOW_NUMBERS) ||
			 opener_is_admin(env));
}

/* Each page is looked at once, however many are asked about. */
static u32 contiguous(struct survey *s, u32 index)
{
	if (s->run_end <= index) {
		unsigned long pfn = page_to_pfn(exo_pages_page(s->pages, index));
		u32 i = index + 1;

		while (i < s->end &&
		       page_to_pfn(exo_pages_page(s->pages, i)) ==
		       pfn + (i - index))
			i++;
		s->run_end = i;
	}
	return s->run_end - index;
}

static void fill_info(struct survey *s, u32 index, struct exo_page_info *info)
{
	struct page *page = exo_pages_page(s->pages, index);

	*info = (struct exo_page_info){
		.number = s->numbers ? page_to_pfn(page) : U64_MAX,
		.colour = page_to_pfn(page) % EXO_FRAME_MAX_COLOURS,
		.node = page_to_nid(page),
		.nr_contiguous = contiguous(s, index),
	};
}

static int survey(struct exo_command *cmd, const struct exo_frame *frame,
		  const struct exo_scope *scope, struct exo_page_info *info)
{
	const struct exo_frame_info *arg = cmd->arg;
	struct survey s = {
		.pages = frame->pages,
		.end = scope->start + scope->nr,
		.numbers = may_see_numbers(cmd->env),
	};
	u32 i, end;

	if (!EXO_CHECK(place_wrap,
		       !check_add_overflow(arg->first_page, arg->nr, &end)))
		return -EOVERFLOW;
	if (!EXO_CHECK(place_range, end <= scope->nr))
		return exo_env_refuse_range(cmd->env, arg->frame,
					    EXO_TYPE_FRAME, end, scope->nr);
	for (i = 0; i < arg->nr; i++) {
		fill_info(&s, scope->start + arg->first_page + i, &info[i]);
		cond_resched();
	}
	return 0;
}

/* The frame is let go before anything is copied: that may last. */
static int look(struct exo_command *cmd, struct exo_page_info *info)
{
	const struct exo_frame_info *arg = cmd->arg;
	struct exo_frame *frame;
	struct exo_scope scope;
	int rc;

	frame = exo_frame_get(cmd->env, arg->frame, EXO_RIGHT_READ, &scope);
	if (IS_ERR(frame))
		return PTR_ERR(frame);
	rc = survey(cmd, frame, &scope, info);
	exo_object_put(&frame->obj);
	return rc;
}

/**
 * exo_frame_info() - EXO_CMD_FRAME_INFO
 * @cmd: struct exo_frame_info
 *
 * Context: sleeps. Return: 0; -EINVAL none or too many pages, or outside the
 * capability's range; -EOVERFLOW; -ENOENT, -EBADF, -ESTALE, -EACCES the handle;
 * -EFAULT; -ENOMEM.
 */
int exo_frame_info(struct exo_command *cmd)
{
	struct exo_frame_info *arg = cmd->arg;
	struct exo_page_info *info;
	int rc;

	if (!EXO_CHECK(place_pages_some, arg->nr) ||
	    !EXO_CHECK(place_pages_max, arg->nr <= MAX_INFO))
		return -EINVAL;
	info = kvmalloc_array(arg->nr, sizeof(*info), EXO_GFP_USER);
	if (!info)
		return -ENOMEM;
	arg->out_reserved = 0;
	rc = look(cmd, info);
	if (!rc && copy_to_user(u64_to_user_ptr(arg->array), info,
				arg->nr * sizeof(*info)))
		rc = -EFAULT;
	kvfree(info);
	return rc;
}
