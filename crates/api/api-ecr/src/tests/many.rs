//! Thousands of images and tags, page by page.

use super::*;
use std::collections::BTreeSet;

fn digest(number: usize) -> String {
    // Spread, as digests are.
    format!(
        "sha256:{:032x}{number:032x}",
        (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    )
}

/// Images of which some have one tag, one has thousands, and some have none.
async fn filled() -> (EcrService, RequestContext, BTreeSet<(String, Option<String>)>) {
    let (service, context) = fixture().await;
    service.create_repository(&context, create("app")).await.expect("creates");
    let mut expected = BTreeSet::new();
    for number in 0..700 {
        let tags: Vec<String> = match number {
            350 => (0..3_000).map(|tag| format!("many-{tag}")).collect(),
            number if number % 3 == 0 => vec![format!("v{number}")],
            _ => vec![],
        };
        let names: Vec<&str> = tags.iter().map(String::as_str).collect();
        add_image(&service, &context, &digest(number), &names, &[]).await;
        if tags.is_empty() {
            expected.insert((digest(number), None));
        }
        expected.extend(tags.into_iter().map(|tag| (digest(number), Some(tag))));
    }
    (service, context, expected)
}

async fn listed(
    service: &EcrService,
    context: &RequestContext,
    limit: i32,
    tag_status: Option<TagStatus>,
) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    let mut next_token = None;
    loop {
        let filter = ListImagesFilter { tag_status, ..ListImagesFilter::default() };
        let request = ListImagesRequest {
            repository_name: "app".into(),
            max_results: Some(limit),
            next_token,
            filter: Some(filter),
            ..ListImagesRequest::default()
        };
        let answer = service.list_images(context, request).await.expect("lists");
        let page = answer.image_ids.expect("a list");
        assert!(page.len() <= limit as usize);
        assert!(page.len() == limit as usize || answer.next_token.is_none(), "pages are full but the last");
        all.extend(page.into_iter().map(|id| (id.image_digest.expect("a digest"), id.image_tag)));
        next_token = answer.next_token;
        if next_token.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn thousands_of_tags_are_listed_once_each() {
    let (service, context, expected) = filled().await;
    for limit in [1_000, 97] {
        let all = listed(&service, &context, limit, None).await;
        assert_eq!(all.len(), expected.len());
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), expected);
    }
    let tagged = listed(&service, &context, 500, Some(TagStatus::Tagged)).await;
    assert_eq!(tagged.len(), 3_000 + 234);
    let untagged = listed(&service, &context, 500, Some(TagStatus::Untagged)).await;
    assert_eq!(untagged.len(), expected.len() - tagged.len());
}

#[tokio::test]
async fn images_are_described_once_each() {
    let (service, context, expected) = filled().await;
    for (tag_status, wanted) in
        [(None, 700), (Some(TagStatus::Tagged), 235), (Some(TagStatus::Untagged), 465)]
    {
        let (mut seen, mut tags) = (BTreeSet::new(), 0);
        let mut next_token = None;
        loop {
            let filter = DescribeImagesFilter { tag_status, ..DescribeImagesFilter::default() };
            let request = DescribeImagesRequest {
                repository_name: "app".into(),
                max_results: Some(150),
                next_token,
                filter: Some(filter),
                ..DescribeImagesRequest::default()
            };
            let answer = service.describe_images(&context, request).await.expect("describes");
            for detail in answer.image_details.expect("a list") {
                tags += detail.image_tags.as_ref().map_or(0, Vec::len);
                assert!(seen.insert(detail.image_digest.expect("a digest")), "once");
            }
            next_token = answer.next_token;
            if next_token.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), wanted, "{tag_status:?}");
        let all = expected.iter().filter(|(_, tag)| tag.is_some()).count();
        assert_eq!(tags, if tag_status == Some(TagStatus::Untagged) { 0 } else { all });
    }
}
